//! TLS over streams of one's own.

use super::Session;
use crate::client::endpoint::Secured;
use crate::clock::nanos;
use crate::outcome::Failure;
use crate::stream::Stream;

impl Session {
    /// Speaks TLS over a stream to `host`, with the settings of the run and the sessions that this user can resume; the
    /// stream is used as before then. `protocols` are offered for inside of it (RFC 7301), the preferred one first; with
    /// none the extension is left out. The handshake is counted under `host`, and has the time that connections have.
    ///
    /// ```
    /// # use loadr_engine::client::session::Session;
    /// # use loadr_engine::outcome::Failure;
    /// # use loadr_engine::stream::Stream;
    /// # use loadr_engine::user::Context;
    /// async fn open(context: &Context, session: &Session) -> Result<Stream, Failure> {
    ///     let stream = context.tcp("db.example:6380").await?;
    ///     session.secure(stream, "db.example", &[]).await
    /// }
    /// ```
    ///
    /// # Errors
    /// The handshake came to nothing, in words; or `host` is no name that a certificate could be for.
    pub async fn secure(
        &self,
        mut stream: Stream,
        host: &str,
        protocols: &[&str],
    ) -> Result<Stream, Failure> {
        let options = self.session_options();
        let name = options.tls.server_name(host)?;
        let secured = Secured::new(&self.context.shard_context(), host, name).offering(protocols);
        let (start_ns, timeout) = (self.context.now_ns(), options.connect_timeout);
        stream.set_deadline(Some(start_ns.saturating_add(nanos(timeout))));
        let client = self.tls_client();
        secured.shake_hands(&self.context, &mut stream, &client, start_ns, timeout).await?;
        stream.set_deadline(None);
        Ok(stream)
    }
}
