//! The fixtures as variants: small arenas and tiny caches, so that every way out of the hot path is taken.

hz3::variant!(pub Narrow = "tests/fixtures/narrow.toml");
hz3::variant!(pub Wide = "tests/fixtures/wide.toml");
hz3::variant!(pub Coloured = "tests/fixtures/coloured.toml");
hz3::variant!(pub Child = "tests/fixtures/child.toml");
hz3::variant!(pub Bank = "tests/fixtures/bank.toml");
hz3::variant!(pub Ring = "tests/fixtures/ring.toml");
