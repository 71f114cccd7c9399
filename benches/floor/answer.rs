//! The one answer that is read properly: its length stands for all the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::error::FloorError;

/// A target that takes longer than this over its first answer cannot be measured.
const FIRST_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Room for one answer; a floor is measured with small ones.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends one request and returns the length in bytes of head and body of its answer.
pub(crate) fn learn_length(stream: &mut TcpStream, request: &[u8]) -> Result<u32, FloorError> {
    let system = |call| move |source| FloorError::System { call, source };
    stream.set_read_timeout(Some(FIRST_ANSWER_TIMEOUT)).map_err(system("setsockopt"))?;
    stream.write_all(request).map_err(system("write"))?;
    let mut bytes = vec![0; ANSWER_BYTES_MAX];
    let mut filled = 0;
    loop {
        let room = bytes.get_mut(filled..).unwrap_or_default();
        if room.is_empty() {
            return Err(refuse(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
        }
        match stream.read(room).map_err(system("read"))? {
            0 => return Err(refuse(format!("it ended after {filled} bytes"))),
            count => filled += count,
        }
        if let Some(length) = whole_length(&bytes[..filled])?
            && length <= filled
        {
            stream.set_read_timeout(None).map_err(system("setsockopt"))?;
            return if length == filled {
                Ok(length as u32)
            } else {
                Err(refuse(format!("{} bytes follow it unasked", filled - length)))
            };
        }
    }
}

/// Length of head and body once the head is whole, none before.
fn whole_length(bytes: &[u8]) -> Result<Option<usize>, FloorError> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(bytes).map_err(|error| refuse(error.to_string()))? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(head_bytes) => {
            let status = head.code.unwrap_or(0);
            if status != 200 {
                return Err(refuse(format!("its status is {status}, not 200")));
            }
            let body_bytes = content_length(head.headers)
                .ok_or_else(|| refuse("it has no usable Content-Length".to_owned()))?;
            Ok(Some(head_bytes.saturating_add(body_bytes)))
        }
    }
}

fn content_length(headers: &[httparse::Header<'_>]) -> Option<usize> {
    let header =
        headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    std::str::from_utf8(header.value).ok()?.trim().parse().ok()
}

fn refuse(reason: String) -> FloorError {
    FloorError::FirstAnswer { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_head_gives_the_length_of_head_and_body() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(whole_length(head).unwrap(), Some(head.len() + 12));
        assert_eq!(whole_length(&head[..head.len() - 1]).unwrap(), None);
    }

    #[test]
    fn an_answer_without_a_length_is_refused() {
        let error = whole_length(b"HTTP/1.1 200 OK\r\n\r\n").unwrap_err();
        assert!(error.to_string().contains("no usable Content-Length"), "{error}");
    }

    #[test]
    fn a_failure_is_refused_with_its_status() {
        let error = whole_length(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").unwrap_err();
        assert!(error.to_string().contains("503"), "{error}");
    }
}
