use super::*;

fn error_of(bytes: &[u8]) -> String {
    format!("{:#}", Pickle::read(bytes, PLAIN).unwrap_err())
}

/// `pickle.dumps({"a": [1, -2, 300, 70000], "b": ("x", None)}, protocol)` of Python 3.
#[test]
fn plain_data_of_python_are_read() {
    let two = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffM,\x01Jp\x11\x01\x00e\
                X\x01\x00\x00\x00bq\x03X\x01\x00\x00\x00xq\x04N\x86q\x05u.";
    let four =
        b"\x80\x04\x95'\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94]\x94(K\x01J\xfe\xff\xff\xffM,\x01\
                 Jp\x11\x01\x00e\x8c\x01b\x94\x8c\x01x\x94N\x86\x94u.";
    for bytes in [&two[..], four] {
        let pickle = Pickle::read(bytes, PLAIN).unwrap();
        let numbers = pickle.items(pickle.get("a").unwrap()).unwrap();
        let numbers: Vec<i64> = numbers.iter().map(|id| pickle.int(*id).unwrap()).collect();
        assert_eq!(numbers, [1, -2, 300, 70_000]);
        let pair = pickle.items(pickle.get("b").unwrap()).unwrap();
        assert_eq!((pickle.text(pair[0]).unwrap(), pair.len()), (&b"x"[..], 2));
        assert!(pickle.get("c").unwrap_err().to_string().contains("no key \"c\""));
        assert!(pickle.byte_array(pair[0]).is_err());
    }
}

#[test]
fn a_call_is_refused_and_nothing_is_run() {
    // os.system("true"), by GLOBAL and by STACK_GLOBAL.
    assert!(
        error_of(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
            .contains("it calls os.system; a pickle is read")
    );
    assert!(
        error_of(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.").contains("it calls os.system")
    );
    // INST, OBJ, NEWOBJ, PERSID, EXT1
    for code in [b'i', b'o', 0x81, b'P', 0x82] {
        assert!(error_of(&[0x80, 2, b'(', code]).contains("makes more than plain data"));
    }
}

#[test]
fn broken_pickles_are_told_with_their_place() {
    for (bytes, words) in [
        (&b""[..], "byte 0: it ends early"),
        (b"\x80\x02", "byte 2: it ends early"),
        (b"\x80\x02T\xff\xff\xff\xff", "ends early"),
        (b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xff", "ends early"),
        (b"\x80\x02.", "takes what is not there"),
        (b"\x80\x02(.", "takes what is not there"),
        (b"\x80\x02t.", "takes what is not there"),
        (b"\x80\x02a", "takes what is not there"),
        (b"\x80\x02NNa", "neither a list nor a dictionary"),
        (b"\x80\x02}(Nu.", "neither a list nor a dictionary"),
        (b"\x80\x02h\x05.", "recalls 5, which it never kept"),
        (b"\x80\x02NNb", "builds what it has not made"),
        (b"\x80\x02\x8a\x09", "a number of 9 bytes"),
        (b"\x80\x02NN\x93", "no short text"),
        (b"\x80\x02cabc", "a name without end"),
    ] {
        let error = error_of(bytes);
        assert!(error.contains(words), "{bytes:?}: {error}");
    }
}

/// Lists nested in each other, lists that hold themselves, and doubling references are small and are dropped flat.
#[test]
fn hostile_references_neither_grow_nor_recurse() {
    let mut nested = b"\x80\x02".to_vec();
    nested.extend(std::iter::repeat_n(b']', 400_000));
    nested.extend(std::iter::repeat_n(b'a', 399_999));
    nested.push(b'.');
    assert_eq!(Pickle::read(&nested, PLAIN).unwrap().nodes.len(), 400_000);
    let mut doubling = b"\x80\x02]q\x00".to_vec();
    (0..60).for_each(|_| doubling.extend(b"h\x00h\x00\x86q\x00"));
    doubling.push(b'.');
    assert!(Pickle::read(&doubling, PLAIN).unwrap().nodes.len() < 100);
    Pickle::read(b"\x80\x02]q\x00h\x00a.", PLAIN).unwrap();
    let endless = [&b"\x80\x02"[..], &vec![b'N'; PLAIN.most_instructions + 1]].concat();
    assert!(error_of(&endless).contains("more than 2000000 instructions"));
}

/// A pickle makes at most a node of each instruction, which may be a single byte.
#[test]
fn a_node_is_small() {
    assert!(size_of::<Node>() <= 32, "{} bytes", size_of::<Node>());
}

/// Whatever the bytes: an error or data, and neither a panic nor a long wait.
#[test]
fn no_bytes_panic() {
    let codes = b"(0NKMJ\x8aUC\x8cTBX]})\x85\x86\x87taesuqr\x94hjc\x93Rb.\x80\x95\x88\x89\x00\x01\x02\n";
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut bytes = vec![];
        for _ in 0..40 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bytes.push(codes[(state >> 33) as usize % codes.len()]);
        }
        if let Ok(pickle) = Pickle::read(&bytes, PLAIN) {
            let _ = pickle.get("a");
            (0..pickle.nodes.len()).for_each(|id| drop(pickle.byte_array(id)));
        }
    }
}
