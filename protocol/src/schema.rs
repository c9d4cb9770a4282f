//! `message!`: a table of fields, as in Kafka's JSON schemas, becomes structures that read and write themselves.
//!
//! A structure is `pub struct Name<'a>: request Api { .. }`, `response Api` or `record (0..=4), flexible 4` for a
//! message, and has no role when it is nested in one. A field is
//! `name: Type, versions [, nullable versions] [, default value] [, tag number];`. An `Option` is nullable in all
//! versions of the field unless it says otherwise; a field has its default in the versions that lack it; a tagged
//! field is written when it differs from its default.

macro_rules! message {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(<$life:lifetime>)? $(: $role:ident $subject:tt $(, flexible $flexible:literal)?)? {
            $($fields:tt)*
        }
    )*) => {
        $(
            message!(@structure [$(#[$meta])*] $name [$($life)?] { $($fields)* });
            message!(@role [$($role $subject $(, $flexible)?)?] $name [$($life)?]);
        )*
    };

    // The structure, its default and its layout. One without a lifetime reads from bytes of any.
    (@structure $metas:tt $name:ident [] $fields:tt) => {
        message!(@structure $metas $name ['a] [] $fields);
    };
    (@structure $metas:tt $name:ident [$life:lifetime] $fields:tt) => {
        message!(@structure $metas $name [$life] [<$life>] $fields);
    };
    (@structure [$(#[$meta:meta])*] $name:ident [$life:lifetime] [$($generics:tt)*] {
        $(
            $(#[$field_meta:meta])*
            $field:ident: $type:ty, $versions:expr
            $(, nullable $nullable:expr)? $(, default $default:expr)? $(, tag $tag:literal)?;
        )*
    }) => {
        $(#[$meta])*
        // The fields are Kafka's own: their schema says what they mean, a note is given where that is not enough.
        #[allow(missing_docs)]
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name $($generics)* {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $($generics)* Default for $name $($generics)* {
            fn default() -> Self {
                Self { $($field: message!(@default $($default)?),)* }
            }
        }

        impl<$life> $crate::field::Field<$life> for $name $($generics)* {
            fn read(
                reader: &mut $crate::reader::Reader<$life>,
                layout: $crate::field::Layout,
            ) -> Result<Self, $crate::reader::DecodeError> {
                let mut message = Self::default();
                $(
                    message!(@read [$($tag)?] [$($nullable)?] message.$field, $versions, reader, layout);
                )*
                if layout.flexible {
                    reader.read_tagged_fields(|tag, reader| {
                        $($(
                            if tag == $tag && ($versions).contains(&layout.version) {
                                message.$field = $crate::field::Field::read(reader, layout)?;
                                return Ok(true);
                            }
                        )?)*
                        let _ = (tag, reader);
                        Ok(false)
                    })?;
                }
                Ok(message)
            }

            fn write(&self, writer: &mut $crate::writer::Writer, layout: $crate::field::Layout) {
                $(
                    message!(@write [$($tag)?] [$($nullable)?] self.$field, $versions, writer, layout);
                )*
                if layout.flexible {
                    #[allow(unused_mut)]
                    let mut tagged = $crate::writer::TaggedFields::default();
                    $(
                        message!(@write_tagged [$($tag)?] [$($default)?] self.$field: $type, $versions, tagged, layout);
                    )*
                    tagged.finish(writer);
                }
            }
        }

        #[cfg(test)]
        impl<$life> $crate::random::RandomValue for $name $($generics)* {
            fn random(source: &mut rand::rngs::StdRng, version: i16) -> Self {
                let mut message = Self::default();
                $(
                    if ($versions).contains(&version) {
                        message.$field = $crate::random::RandomValue::random(source, version);
                        $(
                            if !($nullable).contains(&version) {
                                message.$field.get_or_insert_default();
                            }
                        )?
                    }
                )*
                message
            }
        }
    };

    // What depends on whether a field is tagged, nullable in some versions only, or has a default.
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };

    (@read [$tag:literal] $nullable:tt $($rest:tt)*) => {};
    (@read [] [] $message:ident.$field:ident, $versions:expr, $reader:ident, $layout:ident) => {
        if ($versions).contains(&$layout.version) {
            $message.$field = $crate::field::Field::read($reader, $layout)?;
        }
    };
    (@read [] [$nullable:expr] $message:ident.$field:ident, $versions:expr, $reader:ident, $layout:ident) => {
        if ($versions).contains(&$layout.version) {
            $message.$field = if ($nullable).contains(&$layout.version) {
                $crate::field::Field::read($reader, $layout)?
            } else {
                Some($crate::field::Field::read($reader, $layout)?)
            };
        }
    };

    (@write [$tag:literal] $nullable:tt $($rest:tt)*) => {};
    (@write [] [] $message:ident.$field:ident, $versions:expr, $writer:ident, $layout:ident) => {
        if ($versions).contains(&$layout.version) {
            $crate::field::Field::write(&$message.$field, $writer, $layout);
        }
    };
    (@write [] [$nullable:expr] $message:ident.$field:ident, $versions:expr, $writer:ident, $layout:ident) => {
        if ($versions).contains(&$layout.version) {
            if ($nullable).contains(&$layout.version) {
                $crate::field::Field::write(&$message.$field, $writer, $layout);
            } else {
                $crate::field::write_null_as_empty($message.$field.as_ref(), $writer, $layout);
            }
        }
    };

    (@write_tagged [] $default:tt $($rest:tt)*) => {};
    (
        @write_tagged [$tag:literal] [$($default:expr)?]
        $message:ident.$field:ident: $type:ty, $versions:expr, $tagged:ident, $layout:ident
    ) => {
        let default: $type = message!(@default $($default)?);
        if ($versions).contains(&$layout.version) && $message.$field != default {
            $tagged.add($tag, |writer| $crate::field::Field::write(&$message.$field, writer, $layout));
        }
    };

    // What makes a structure a message: where its versions come from.
    (@role [] $name:ident $life:tt) => {};
    (@role [request $api:ident] $name:ident $life:tt) => {
        message!(@api Request $api $name $life);
    };
    (@role [response $api:ident] $name:ident $life:tt) => {
        message!(@api Response $api $name $life);
    };
    (@role [record $versions:tt] $name:ident $life:tt) => {
        message!(@role [record $versions, 32767] $name $life);
    };
    (@role [record $versions:tt, $flexible:literal] $name:ident []) => {
        message!(@message $versions, |version| version >= $flexible; $name ['a] []);
    };
    (@role [record $versions:tt, $flexible:literal] $name:ident [$life:lifetime]) => {
        message!(@message $versions, |version| version >= $flexible; $name [$life] [<$life>]);
    };
    (@api $role:ident $api:ident $name:ident []) => {
        message!(@api $role $api $name ['a] []);
    };
    (@api $role:ident $api:ident $name:ident [$life:lifetime]) => {
        message!(@api $role $api $name [$life] [<$life>]);
    };
    (@api $role:ident $api:ident $name:ident [$life:lifetime] [$($generics:tt)*]) => {
        message!(
            @message $crate::api_key::ApiKey::$api.versions(),
            |version| $crate::api_key::ApiKey::$api.is_flexible(version);
            $name [$life] [$($generics)*]
        );

        impl<$life> $crate::$role<$life> for $name $($generics)* {
            const API: $crate::api_key::ApiKey = $crate::api_key::ApiKey::$api;
        }
    };
    (@message $versions:expr, |$version:ident| $flexible:expr; $name:ident [$life:lifetime] [$($generics:tt)*]) => {
        impl<$life> $crate::Message<$life> for $name $($generics)* {
            fn decode(
                reader: &mut $crate::reader::Reader<$life>,
                $version: i16,
            ) -> Result<Self, $crate::reader::DecodeError> {
                if !($versions).contains(&$version) {
                    return Err($crate::reader::DecodeError::UnsupportedVersion($version));
                }
                let layout = $crate::field::Layout { version: $version, flexible: $flexible };
                $crate::field::Field::read(reader, layout)
            }

            fn encode(&self, writer: &mut $crate::writer::Writer, $version: i16) {
                assert!(($versions).contains(&$version), "{} has no version {}", stringify!($name), $version);
                let layout = $crate::field::Layout { version: $version, flexible: $flexible };
                $crate::field::Field::write(self, writer, layout);
            }
        }
    };
}

/// Makes a structure nullable: a byte in front of it says whether it is there.
macro_rules! nullable_structure {
    ($name:ident $(<$life:lifetime>)?) => {
        impl<'a> NullableField<'a> for $name $(<$life>)? {
            fn read_nullable(reader: &mut Reader<'a>, layout: Layout) -> Result<Option<Self>, DecodeError> {
                if reader.read_i8()? < 0 { Ok(None) } else { Field::read(reader, layout).map(Some) }
            }

            fn write_null(writer: &mut Writer, _: Layout) {
                writer.put_i8(-1);
            }

            fn write_present(&self, writer: &mut Writer, layout: Layout) {
                writer.put_i8(1);
                self.write(writer, layout);
            }
        }
    };
}
