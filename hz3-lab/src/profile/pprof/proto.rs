//! The messages of pprof's format (`perftools.profiles`, in the file `profile.proto`), as they stand in a file.
//!
//! prost does the work. Its derive macro would do the writing, too, but brings a second version of the crate that parses Rust
//! into the build; so the fields are listed once more in a macro of ours.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType, skip_field};
use prost::{DecodeError, Message};

/// Declares messages: each field by its number, and by the module of `prost::encoding` that reads and writes it.
macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident { $($tag:literal $field:ident: $kind:ident $ty:ty,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $(pub $field: $ty,)+
        }

        impl Message for $name {
            fn encode_raw(&self, buf: &mut impl BufMut) {
                $(messages!(@encode $kind, $tag, &self.$field, buf);)+
            }

            fn merge_field(
                &mut self,
                tag: u32,
                wire: WireType,
                buf: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                match tag {
                    $($tag => messages!(@merge $kind, wire, &mut self.$field, buf, context).map_err(|mut fault| {
                        fault.push(stringify!($name), stringify!($field));
                        fault
                    }),)+
                    _ => skip_field(wire, tag, buf, context),
                }
            }

            fn encoded_len(&self) -> usize {
                0 $(+ messages!(@length $kind, $tag, &self.$field))+
            }

            fn clear(&mut self) {
                *self = Self::default();
            }
        }
    )+};
    // What has the value that a missing field has is left out, as proto3 does.
    (@encode number, $tag:literal, $value:expr, $buf:expr) => {
        if *$value != 0 { prost::encoding::int64::encode($tag, $value, $buf) }
    };
    (@encode natural, $tag:literal, $value:expr, $buf:expr) => {
        if *$value != 0 { prost::encoding::uint64::encode($tag, $value, $buf) }
    };
    (@encode flag, $tag:literal, $value:expr, $buf:expr) => {
        if *$value { prost::encoding::bool::encode($tag, $value, $buf) }
    };
    (@encode numbers, $tag:literal, $value:expr, $buf:expr) => { prost::encoding::int64::encode_packed($tag, $value, $buf) };
    (@encode naturals, $tag:literal, $value:expr, $buf:expr) => { prost::encoding::uint64::encode_packed($tag, $value, $buf) };
    (@encode texts, $tag:literal, $value:expr, $buf:expr) => { prost::encoding::bytes::encode_repeated($tag, $value, $buf) };
    (@encode maybe, $tag:literal, $value:expr, $buf:expr) => {
        if let Some(value) = $value { prost::encoding::message::encode($tag, value, $buf) }
    };
    (@encode many, $tag:literal, $value:expr, $buf:expr) => { prost::encoding::message::encode_repeated($tag, $value, $buf) };
    (@merge number, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::int64::merge($wire, $value, $buf, $context)
    };
    (@merge natural, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::uint64::merge($wire, $value, $buf, $context)
    };
    (@merge flag, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::bool::merge($wire, $value, $buf, $context)
    };
    (@merge numbers, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::int64::merge_repeated($wire, $value, $buf, $context)
    };
    (@merge naturals, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::uint64::merge_repeated($wire, $value, $buf, $context)
    };
    (@merge texts, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::bytes::merge_repeated($wire, $value, $buf, $context)
    };
    (@merge maybe, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::message::merge($wire, $value.get_or_insert_default(), $buf, $context)
    };
    (@merge many, $wire:expr, $value:expr, $buf:expr, $context:expr) => {
        prost::encoding::message::merge_repeated($wire, $value, $buf, $context)
    };
    (@length number, $tag:literal, $value:expr) => {
        if *$value != 0 { prost::encoding::int64::encoded_len($tag, $value) } else { 0 }
    };
    (@length natural, $tag:literal, $value:expr) => {
        if *$value != 0 { prost::encoding::uint64::encoded_len($tag, $value) } else { 0 }
    };
    (@length flag, $tag:literal, $value:expr) => {
        if *$value { prost::encoding::bool::encoded_len($tag, $value) } else { 0 }
    };
    (@length numbers, $tag:literal, $value:expr) => { prost::encoding::int64::encoded_len_packed($tag, $value) };
    (@length naturals, $tag:literal, $value:expr) => { prost::encoding::uint64::encoded_len_packed($tag, $value) };
    (@length texts, $tag:literal, $value:expr) => { prost::encoding::bytes::encoded_len_repeated($tag, $value) };
    (@length maybe, $tag:literal, $value:expr) => {
        $value.as_ref().map_or(0, |value| prost::encoding::message::encoded_len($tag, value))
    };
    (@length many, $tag:literal, $value:expr) => { prost::encoding::message::encoded_len_repeated($tag, $value) };
}

messages! {
    /// A whole file. Strings are indices into its table, of which the first is empty.
    File {
        1 sample_types: many Vec<ValueType>,
        2 samples: many Vec<Sample>,
        3 mappings: many Vec<Mapping>,
        4 locations: many Vec<Location>,
        5 functions: many Vec<Function>,
        // As bytes: a name that is no UTF-8 is no reason to refuse a profile.
        6 strings: texts Vec<Vec<u8>>,
        7 drop_frames: number i64,
        8 keep_frames: number i64,
        9 time_nanos: number i64,
        10 duration_nanos: number i64,
        11 period_type: maybe Option<ValueType>,
        12 period: number i64,
        13 comments: numbers Vec<i64>,
        14 default_sample_type: number i64,
    }

    /// What a value means, and its unit.
    ValueType {
        1 kind: number i64,
        2 unit: number i64,
    }

    /// One row: a stack (the innermost location first), a value for each type, labels.
    Sample {
        1 locations: naturals Vec<u64>,
        2 values: numbers Vec<i64>,
        3 labels: many Vec<Label>,
    }

    /// A label: a string, or a number with its unit.
    Label {
        1 key: number i64,
        2 text: number i64,
        3 number: number i64,
        4 unit: number i64,
    }

    /// A file that is mapped into the process.
    Mapping {
        1 id: natural u64,
        2 start: natural u64,
        3 limit: natural u64,
        4 offset: natural u64,
        5 file: number i64,
        6 build_id: number i64,
        7 has_functions: flag bool,
        8 has_filenames: flag bool,
        9 has_lines: flag bool,
        10 has_inline_frames: flag bool,
    }

    /// An address, and what stands there.
    Location {
        1 id: natural u64,
        2 mapping: natural u64,
        3 address: natural u64,
        4 lines: many Vec<Line>,
        5 folded: flag bool,
    }

    /// A line of a function.
    Line {
        1 function: natural u64,
        2 line: number i64,
        3 column: number i64,
    }

    /// A function.
    Function {
        1 id: natural u64,
        2 name: number i64,
        3 system_name: number i64,
        4 file: number i64,
        5 start_line: number i64,
    }
}
