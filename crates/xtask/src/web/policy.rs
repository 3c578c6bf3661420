//! The headers of a careful host.

use anyhow::{Context, Result};

const BEFORE_POLICY: &str = "http-equiv=\"Content-Security-Policy\" content=\"";

/// The headers for every file of the page `html`. Its own policy comes first: a worker that a page
/// starts obeys the header of the worker's file, not the page's element.
///
/// # Errors
/// When the page has no policy.
pub fn headers(html: &str) -> Result<Vec<(&'static str, String)>> {
    let (_, after) = html.split_once(BEFORE_POLICY).context("the page has no Content-Security-Policy element")?;
    let (policy, _) = after.split_once('"').context("the page's Content-Security-Policy has no end")?;
    Ok(vec![
        // Elements cannot say who may frame a page; headers can.
        ("Content-Security-Policy", format!("{policy}; frame-ancestors 'none'")),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_repeats_the_page() {
        let html = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\"><p class=\"a\">";
        let headers = headers(html).unwrap();
        let policy = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'".to_owned());
        assert!(headers.contains(&policy), "{headers:?}");
    }

    #[test]
    fn a_page_without_a_policy_is_an_error() {
        assert!(headers("<p>").is_err());
        assert!(headers("<meta http-equiv=\"Content-Security-Policy\" content=\"").is_err());
    }

    #[test]
    fn the_app_runs_no_inline_script_and_asks_no_other_host() {
        let html = include_str!("../../../../web/site/index.html");
        let headers = headers(html).unwrap();
        let (_, policy) = &headers[0];
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        for forbidden in ["unsafe-inline", "unsafe-eval'; ", "http", "*"] {
            assert!(!policy.replace("'wasm-unsafe-eval'", "").contains(forbidden), "{forbidden}: {policy}");
        }
    }
}
