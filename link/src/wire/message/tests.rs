use proptest::prelude::*;

use std::time::Duration;

use super::*;

fn hello() -> Message {
    Message::Hello(Hello {
        version: VERSION,
        stream: "gate-1".into(),
        bundle: "cis-nano-v0".into(),
        token: b"0123456789abcdef".to_vec(),
        instance: [7; INSTANCE_LEN],
        spool: None,
    })
}

fn spooling() -> Message {
    let Message::Hello(mut hello) = hello() else {
        unreachable!()
    };
    hello.spool = Some(Spool {
        id: [9; INSTANCE_LEN],
        oldest: 70_000,
    });
    Message::Hello(hello)
}

pub fn one_of_each() -> Vec<Message> {
    vec![
        hello(),
        Message::Accept { max_unit: 1 << 20 },
        Message::KeyRequest,
        Message::Layer { layer: 1, on: true },
        Message::Layer {
            layer: 255,
            on: false,
        },
        Message::Received {
            units: 123_456,
            enhancement: 0,
        },
        Message::Received {
            units: 7,
            enhancement: 70_000,
        },
        Message::Backlog(Backlog {
            units: 3,
            bytes: varint::MAX,
            dropped: 0,
        }),
        Message::Encoded(times()),
        Message::Encoded(Times::default()),
        Message::Finish { groups: 9 },
        Message::Finished,
        spooling(),
        Message::Stored {
            serial: 70_001,
            units: 250,
        },
    ]
}

fn times() -> Times {
    let mut times = Times::default();
    for micros in [1_500, 40_000, 41_000, 9_000_001] {
        times.add(Duration::from_micros(micros));
    }
    times
}

fn raw(kind: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint::put(&mut bytes, kind);
    varint::put(&mut bytes, body.len() as u64);
    bytes.extend_from_slice(body);
    bytes
}

fn read(bytes: &[u8]) -> Result<Option<Message>, Violation> {
    let mut reader = Reader::default();
    reader.push(bytes);
    reader.take()
}

#[test]
fn every_message_is_read_as_it_was_written_however_it_is_cut() {
    let messages = one_of_each();
    let bytes: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
    for size in [1, 2, 3, 7, bytes.len()] {
        let mut reader = Reader::default();
        let mut got = Vec::new();
        for chunk in bytes.chunks(size) {
            reader.push(chunk);
            while let Some(message) = reader.take().unwrap() {
                got.push(message);
            }
        }
        assert_eq!(got, messages);
        assert!(reader.bytes.is_empty());
    }
}

#[test]
fn kinds_and_fields_of_a_later_version_are_skipped() {
    let mut body = Vec::new();
    put_number(&mut body, 77, 5);
    put_number(&mut body, 1, 42);
    let mut bytes = raw(0x3f00, b"whatever");
    bytes.clear();
    bytes.extend(raw(0x3f00, &body));
    bytes.extend(raw(kind::FINISH, &body));
    assert_eq!(read(&bytes), Ok(Some(Message::Finish { groups: 42 })));
}

#[test]
fn a_hello_of_another_version_is_read_by_its_version_alone() {
    let mut body = Vec::new();
    put_number(&mut body, 1, 2);
    let Ok(Some(Message::Hello(hello))) = read(&raw(kind::HELLO, &body)) else {
        panic!()
    };
    assert_eq!(hello.version, 2);
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_body_comes() {
    let mut bytes = Vec::new();
    varint::put(&mut bytes, kind::HELLO);
    varint::put(&mut bytes, MAX_BODY as u64 + 1);
    assert!(read(&bytes).unwrap_err().0.contains("4097"));
    assert_eq!(read(&raw(kind::HELLO, &[])[..1]), Ok(None));
}

#[test]
fn bodies_that_make_no_sense() {
    let number = |id: u64, value: u64| {
        let mut field = Vec::new();
        put_number(&mut field, id, value);
        field
    };
    let cases: [(&str, u64, Vec<u8>); 8] = [
        ("missing", kind::FINISH, vec![]),
        ("past the end", kind::FINISH, vec![1, 9, 0]),
        ("past the end", kind::FINISH, vec![0xff]),
        ("twice", kind::FINISH, [number(1, 1), number(1, 1)].concat()),
        ("not a number", kind::FINISH, vec![1, 2, 0, 0]),
        ("not a number", kind::FINISH, vec![1, 0]),
        ("0 to 255", kind::LAYER, [number(1, 256), number(2, 1)].concat()),
        ("0 or 1", kind::LAYER, [number(1, 1), number(2, 2)].concat()),
    ];
    for (word, kind, body) in cases {
        let error = read(&raw(kind, &body)).unwrap_err();
        assert!(error.0.contains(word), "{word}: {error}");
    }
    let mut body = number(1, VERSION);
    put_field(&mut body, 2, &[0xff]);
    put_field(&mut body, 3, b"b");
    put_field(&mut body, 4, b"");
    put_field(&mut body, 5, &[0; 15]);
    assert!(read(&raw(kind::HELLO, &body)).unwrap_err().0.contains("16 bytes"));
    let mut body = hello().encode()[2..].to_vec();
    put_field(&mut body, 6, &[0; 17]);
    assert!(read(&raw(kind::HELLO, &body)).unwrap_err().0.contains("16 bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any bytes give messages, an error, or the wish for more; what is kept stays below the limit.
    #[test]
    fn random_bytes_do_no_harm(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
        let mut reader = Reader::default();
        'stream: for chunk in &chunks {
            reader.push(chunk);
            loop {
                match reader.take() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
            prop_assert!(reader.bytes.len() <= MAX_BODY + 16);
        }
    }

    /// Random bodies in sound frames reach the decoders of every kind; what decodes encodes to the same meaning.
    #[test]
    fn random_bodies_do_no_harm(kind in 0..12u64, body in prop::collection::vec(0..8u8, 0..40)) {
        if let Ok(Some(message)) = read(&raw(kind, &body)) {
            if let Message::Hello(hello) = &message && hello.version != VERSION { return Ok(()); }
            prop_assert_eq!(read(&message.encode()), Ok(Some(message)));
        }
    }

    /// A flipped bit never does more than change a value or end the stream.
    #[test]
    fn flipped_bits_do_no_harm(bit in 0..400usize, which in 0..11usize) {
        let mut bytes = one_of_each()[which].encode();
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let _ = read(&bytes);
    }
}
