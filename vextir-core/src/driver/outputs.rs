//! What a handler may return.

use super::{BoxError, OutputSpec};
use crate::{Event, IntoEvent, Payload};

/// Everything that a handler method may return: `()`, a payload, an [`Event`], an `Option`, a `Vec`, a tuple
/// of those, or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "no event can be made of this",
    note = "return `()`, a payload, an `Event`, an `Option`, a `Vec` or a tuple of those, or a `Result` of one with an error that implements `std::error::Error`; a payload has `#[derive(Serialize, Deserialize, JsonSchema, Payload)]`"
)]
pub trait IntoOutputs: Sized {
    /// Adds the events, in order.
    ///
    /// # Errors
    /// The handler's own error, or a payload without a JSON form.
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError>;

    /// Adds what the return type alone says about the outputs.
    fn describe(_specs: &mut Vec<OutputSpec>) {}
}

impl IntoOutputs for () {
    fn add_to(self, _outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl IntoOutputs for Event {
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        outputs.push(self);
        Ok(())
    }
}

impl<P: Payload> IntoOutputs for P {
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        outputs.push(self.into_event()?);
        Ok(())
    }

    fn describe(specs: &mut Vec<OutputSpec>) {
        specs.push(OutputSpec::of::<P>());
    }
}

impl<T: IntoOutputs> IntoOutputs for Option<T> {
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        self.map_or(Ok(()), |one| one.add_to(outputs))
    }

    fn describe(specs: &mut Vec<OutputSpec>) {
        T::describe(specs);
    }
}

impl<T: IntoOutputs> IntoOutputs for Vec<T> {
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        self.into_iter().try_for_each(|one| one.add_to(outputs))
    }

    fn describe(specs: &mut Vec<OutputSpec>) {
        T::describe(specs);
    }
}

impl<T: IntoOutputs, E: Into<BoxError>> IntoOutputs for Result<T, E> {
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        self.map_err(Into::into)?.add_to(outputs)
    }

    fn describe(specs: &mut Vec<OutputSpec>) {
        T::describe(specs);
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: IntoOutputs),+> IntoOutputs for ($($name,)+) {
            fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
                #[allow(non_snake_case, reason = "the type parameters name the fields")]
                let ($($name,)+) = self;
                $($name.add_to(outputs)?;)+
                Ok(())
            }

            fn describe(specs: &mut Vec<OutputSpec>) {
                $($name::describe(specs);)+
            }
        }
    };
}

tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
