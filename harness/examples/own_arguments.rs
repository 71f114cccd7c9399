//! Flags of the test's own, beside all those of the command line: `--product 7 --product 8 --users 10`.

use loadr::prelude::*;

#[derive(clap::Args)]
struct Arguments {
    /// Products to look at, in turn
    #[arg(long, default_value = "1")]
    product: Vec<u32>,
    /// Language of the pages
    #[arg(long, default_value = "en")]
    language: String,
}

fn main() -> ExitCode {
    loadr::run_with(|arguments: Arguments| {
        let products = Feed::new(arguments.product);
        let class = UserClass::new("Visitor").host("http://127.0.0.1:8080").feed(&products);
        let look = move |user: User| {
            // A closure runs again and again: each run has handles of its own.
            let (products, language) = (products.clone(), arguments.language.clone());
            async move {
                let Some(product) = user.next_row(&products).await else { return };
                let call = user.client.get(format!("/products/{product}")).name("/products/[id]");
                call.header("Accept-Language", language).send().await;
            }
        };
        Test::new().user(class.wait(constant(0.05)).task(task(look).name("look")))
    })
}
