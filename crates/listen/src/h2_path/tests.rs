//! Paths with a fragment, however they are written and wherever they arrive.

use super::*;

/// As Appendix B has it, for the letters of these tests.
fn huffman(text: &str) -> Vec<u8> {
    let mut bits = String::new();
    for byte in text.bytes() {
        bits += match byte {
            b'/' => "011000",
            b'a' => "00011",
            b'e' => "00101",
            b'n' => "101010",
            b'o' => "00111",
            b'p' => "101011",
            b'#' => "111111111010",
            b'>' => "111111111011",
            b'?' => "1111111100",
            b'\\' => "1111111111111110000",
            other => panic!("{other}"),
        };
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let byte = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).unwrap();
    (0..bits.len()).step_by(8).map(byte).collect()
}

fn string(bytes: &[u8], flag: u8) -> Vec<u8> {
    [&[flag | u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// What becomes of it, however it arrives.
fn looked_at(bytes: &[u8]) -> Vec<u8> {
    let mut whole = bytes.to_vec();
    Paths::default().look(&mut whole);
    let (mut paths, mut single) = (Paths::default(), bytes.to_vec());
    single.chunks_mut(1).for_each(|byte| paths.look(byte));
    assert_eq!(whole, single);
    whole
}

#[test]
fn a_fragment_is_found_in_either_way_of_writing() {
    for (text, made) in [
        ("/open", "/open"),
        ("/open#", "/open>"),
        ("/a#a/#", "/a>a/>"),
        ("/a?a#o", "/a?a>o"),
        ("/a\\#", "/a\\>"),
    ] {
        for name in [
            &[0x04][..],
            &[0x45],
            &[0x10, 5, b':', b'p', b'a', b't', b'h'],
            &[0x40, 0x84, 0xb9, 0x58, 0xd3, 0x3f],
        ] {
            for (sent, found) in [
                (string(text.as_bytes(), 0), string(made.as_bytes(), 0)),
                (string(&huffman(text), 0x80), string(&huffman(made), 0x80)),
            ] {
                let block = |value: &[u8]| [&[0x82, 0x3f, 0xe1, 0x1f], name, value, &[0x86]].concat();
                let (sent, found) = (frame(1, 5, &block(&sent)), frame(1, 5, &block(&found)));
                assert_eq!(looked_at(&sent), found, "{text} {name:?}");
            }
        }
    }
}

#[test]
fn nothing_but_a_path_is_touched() {
    let referer = [&[0x40][..], &string(b"referer", 0), &string(b"/a#a", 0)].concat();
    let near = [
        &[0x40][..],
        &string(b":pat", 0),
        &string(b"#", 0),
        &[0x40],
        &string(b":paths", 0),
        &string(b"#", 0),
    ]
    .concat();
    let authority = [&[0x41][..], &string(&huffman("a#"), 0x80)].concat();
    for block in [referer, near, authority] {
        let sent = [
            frame(1, 4, &block),
            frame(0, 0, b"#\x04\x01##"),
            frame(6, 0, &[b'#'; 8]),
        ]
        .concat();
        assert_eq!(looked_at(&sent), sent);
    }
}

#[test]
fn a_name_in_the_dynamic_table_is_known_by_its_place() {
    let kept = |name: &[u8]| [&[0x40][..], &string(name, 0), &string(b"x", 0)].concat();
    let block = [kept(b":path"), kept(b"other")].concat();
    // 62 is the newest: `other`; 63 is `:path`.
    let sent = [
        frame(1, 4, &block),
        frame(1, 4, &[0x0f, 47, 1, b'#', 0x0f, 48, 1, b'#']),
    ]
    .concat();
    let found = [
        frame(1, 4, &block),
        frame(1, 4, &[0x0f, 47, 1, b'#', 0x0f, 48, 1, b'>']),
    ]
    .concat();
    assert_eq!(looked_at(&sent), found);
}

#[test]
fn padding_priority_and_continuation_are_followed() {
    let path = |sign: u8| [&[0x04, 5][..], b"/a", &[sign], b"/a"].concat();
    let padded = |sign: u8| {
        let front = [&[3][..], &[0, 0, 0, 0, 16]].concat();
        frame(1, 0x2c, &[&front[..], &path(sign), b"\x04\x01#"].concat())
    };
    assert_eq!(looked_at(&padded(b'#')), padded(b'>'));
    let parted = |sign: u8| {
        let path = path(sign);
        [
            frame(1, 0, &path[..4]),
            frame(9, 0, &[]),
            frame(9, 4, &path[4..]),
            frame(1, 4, &[0x82]),
        ]
        .concat()
    };
    assert_eq!(looked_at(&parted(b'#')), parted(b'>'));
}

#[test]
fn what_is_no_frame_and_no_block_ends_nowhere_bad() {
    let mut number = 7_u32;
    let noise: Vec<u8> = (0..50_000)
        .map(|_| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 24) as u8
        })
        .collect();
    looked_at(&noise);
    for kind in [1, 9] {
        for flags in [0, 4, 8, 0x20, 0x2c] {
            for length in 0..20 {
                looked_at(&[frame(kind, flags, &noise[..length]), frame(1, 4, &noise[..500])].concat());
            }
        }
    }
    looked_at(&frame(1, 4, &[0xff; 200]));
}
