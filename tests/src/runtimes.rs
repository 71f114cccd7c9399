//! The same test on every runtime.

/// Makes a `#[test]` of each function named, once per runtime; each takes the runtime's name.
#[macro_export]
macro_rules! on_each_runtime {
    ($($name:ident),+ $(,)?) => {
        mod monoio { $( #[test] fn $name() { super::$name("monoio"); } )+ }
        mod monoio_epoll { $( #[test] fn $name() { super::$name("monoio-epoll"); } )+ }
        mod glommio { $( #[test] fn $name() { super::$name("glommio"); } )+ }
    };
}
