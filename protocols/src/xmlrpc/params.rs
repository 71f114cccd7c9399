//! The parameters of a call, from tuples and lists.

use super::value::Value;

/// What can be the parameters of a call: `()` for none, a tuple, an array, a list or a slice of what becomes values.
///
/// A single parameter is a tuple of one, or an array of one: `("text",)`, `["text"]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of XML-RPC parameters",
    label = "no parameters",
    note = "parameters are `()`, a tuple, an array, a `Vec` or a slice: a single one is `(value,)` or `[value]`"
)]
pub trait IntoParams {
    /// The values, in order.
    fn into_params(self) -> Vec<Value>;
}

impl IntoParams for () {
    fn into_params(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<V: Into<Value>> IntoParams for Vec<V> {
    fn into_params(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<V: Into<Value>, const N: usize> IntoParams for [V; N] {
    fn into_params(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<V: Into<Value> + Clone> IntoParams for &[V] {
    fn into_params(self) -> Vec<Value> {
        self.iter().cloned().map(Into::into).collect()
    }
}

impl<V: Into<Value> + Clone, const N: usize> IntoParams for &[V; N] {
    fn into_params(self) -> Vec<Value> {
        self.as_slice().into_params()
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {
        $(impl<$($name: Into<Value>),+> IntoParams for ($($name,)+) {
            #[expect(non_snake_case, reason = "the values go by the names of their types")]
            fn into_params(self) -> Vec<Value> {
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        })*
    };
}

tuples! {
    A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_and_lists_become_parameters() {
        assert_eq!(().into_params(), []);
        assert_eq!((0, 100).into_params(), [Value::Int(0), Value::Int(100)]);
        assert_eq!(("a", true).into_params(), [Value::from("a"), Value::from(true)]);
        assert_eq!([1.5].into_params(), [Value::Double(1.5)]);
        assert_eq!([1, 2][..].into_params(), [1, 2].into_params());
        assert_eq!((&[1, 2]).into_params(), vec![1, 2].into_params());
    }
}
