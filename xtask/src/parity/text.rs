//! Texts to tokenize: every script, emoji, code, control characters, and random mixtures.

use fastrand::Rng;

/// Number of random texts.
const RANDOM: usize = 10_000;

/// Code points of one line of the table of characters.
const LINE: u32 = 48;

/// Written texts.
const WRITTEN: &[&str] = &[
    "All human beings are born free and equal in dignity and rights. They're endowed with reason, I'LL say it's so.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits; où ça? L'été, à Noël.",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Straßenbahnhaltestellenüberdachung.",
    "Todos los seres humanos nacen libres e iguales. ¿Cómo estás? ¡Mañana!",
    "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.",
    "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。",
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。カタカナ、ひらがな。",
    "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. ١٢٣٤٥",
    "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. בְּרֵאשִׁית",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। १२३",
    "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
    "ประชาชนทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ๑๒๓",
    "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "ყველა ადამიანი იბადება თავისუფალი. Բոլոր մարդիկ ծնվում են ազատ։ ሰብአዊ ፍጡር ሁሉ ነጻ።",
    "ᎠᏂᏴᏫ ᐃᓄᒃ ꦲ ꯃꯤ ཀ་ཁ་ག ကခဂ កខគ ലോകം ಲೋಕ ලෝකය ਲੋਕ લોક ଲୋକ ລາວ ᠮᠣᠩᠭᠣᠯ",
    "🙂 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇯🇵 ☃️ 1️⃣ ❤️‍🔥 🧑🏿‍🚀 🫠 ©™",
    "e\u{301} \u{e9} \u{fb01} \u{212b} \u{1e9b}\u{323} \u{ac00} \u{1100}\u{1161} \u{ff21}\u{ff42} \u{2460} \u{bd}",
    "\u{200b}\u{200c}\u{200d}\u{feff}\u{2028}\u{2029}\u{85}\u{a0}\u{3000}\u{202e}abc\u{202c}\u{ad}",
    "fn main() {\n    let x: Vec<u8> = vec![1, 2, 3];\n\tprintln!(\"{:?}\", x);\n}\n",
    "def f(x):\n        return x ** 2  # comment\r\n\r\n\r\nclass A(B): pass\n\n\n\n",
    "SELECT * FROM t WHERE a >= 10 AND b != 'x'; -- done\n<div class=\"a\">&amp;</div>\n{\"k\": [1.5e-10, null, true]}",
    "https://example.com/a?b=c&d=%20#e user@example.org C:\\dir\\file.txt ~/.config/x.y 192.168.0.1",
    "1 12 123 1234 12345 1234567890 3.14159 1,000,000 0xFF 1e10 ½ ² ٣ ५ 五",
    "          leading and trailing          ",
    "\n\n \n  \n\t\n\r\n\r \n",
    "",
    " ",
    "a",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n<tool_call>{}</tool_call>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|> <|reserved_special_token_7|>",
    "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_image> <unk> <pad> <unused7> <0x0A> ▁▁▁",
    "<｜begin▁of▁sentence｜><｜User｜>hi<｜Assistant｜><think>x</think><｜end▁of▁sentence｜><｜tool▁calls▁begin｜>",
    "<s> [INST] hi [/INST] </s><|endoftext|> <|im_sta rt|> <|IM_START|> <|fim_prefix|>",
];

/// Pieces of random texts, besides characters.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "\u{a0}",
    "\u{3000}",
    "hello",
    " world",
    "don't",
    "I'LL",
    "'s",
    "123456",
    "1.5",
    "日本",
    "🙂",
    "👩‍👩‍👧",
    "é",
    "e\u{301}",
    "▁",
    "Ġ",
    "<0x0A>",
    "<bos>",
    "<s>",
    "</s>",
    "<unk>",
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<end_of_turn>",
    "<think>",
    "<｜User｜>",
    "<|endoftext|>",
    "fn(",
    "==",
    "();\n",
    "....",
    "-----",
];

/// All texts, in an order that does not change.
pub(super) fn all() -> Vec<String> {
    let mut texts: Vec<String> = WRITTEN.iter().map(|text| (*text).to_owned()).collect();
    // Every script: the two planes of characters in use, and the tags and selectors of the fourteenth.
    for start in (0..0x2_0000)
        .chain(0xe_0000..0xe_0200)
        .step_by(LINE as usize)
    {
        let line: String = (start..start + LINE).filter_map(char::from_u32).collect();
        // Once as it is, once as words.
        let words: Vec<String> = line.chars().map(String::from).collect();
        let words: Vec<String> = words.chunks(5).map(<[String]>::concat).collect();
        texts.push(words.join(" "));
        texts.push(line);
    }
    let mut random = Rng::with_seed(12);
    texts.extend((0..RANDOM).map(|_| random_text(&mut random)));
    texts
}

fn random_text(random: &mut Rng) -> String {
    let parts = random.usize(0..40);
    let mut text = String::new();
    for _ in 0..parts {
        match random.u8(0..6) {
            0 => text.push(random.char(' '..'\u{7f}')),
            1 => text.push(random.char('\0'..'\u{300}')),
            2 => text.push(random.char('\0'..'\u{ffff}')),
            3 => text.push(random.char('\0'..)),
            _ => text.push_str(PIECES[random.usize(0..PIECES.len())]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_always_the_same() {
        let texts = all();
        assert_eq!(texts, all());
        assert!(texts.len() > RANDOM + 5_000 && texts.contains(&String::new()));
        for character in ['\0', '\u{7f}', 'ß', '日', 'Ꭰ', '\u{1f642}', '\u{e0041}'] {
            assert!(
                texts.iter().any(|text| text.contains(character)),
                "{character:?}"
            );
        }
    }
}
