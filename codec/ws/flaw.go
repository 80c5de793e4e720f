package ws

import "net/http"

// Flaw is what is wrong with an HTTP request that is refused before anybody has acted on it.
type Flaw uint8

// The flaws. All but FlawSize, FlawVersion and FlawSyntax are ways to make two servers disagree about
// where a request ends.
const (
	FlawNone       Flaw = iota
	FlawSyntax          // the request line, or bytes behind the head
	FlawLineEnd         // a line without CR LF, or with a control character in it
	FlawFolded          // a header line that continues the one before
	FlawFieldName       // a header line without a name, or a blank in it
	FlawHost            // a second host
	FlawLength          // content-length is no number, or comes twice
	FlawCoding          // transfer-encoding is not chunked, and chunked once
	FlawTwoLengths      // content-length and transfer-encoding
	FlawChunk           // a chunk of a body
	FlawSize            // the head is too long or has too many fields
	FlawVersion         // not HTTP/1
	Flaws               // their number
)

var flawNames = [Flaws]string{
	"none", "syntax", "line_end", "folded", "field_name", "host", "length", "coding", "two_lengths", "chunk", "size", "version",
}

// String returns a short name, for metrics.
func (f Flaw) String() string {
	if f < Flaws {
		return flawNames[f]
	}
	return "unknown"
}

// status returns how a request with this flaw is answered.
func (f Flaw) status() StatusError {
	switch f {
	case FlawSize:
		return http.StatusRequestHeaderFieldsTooLarge
	case FlawVersion:
		return http.StatusHTTPVersionNotSupported
	}
	return http.StatusBadRequest
}

// HeadError is a request that was refused because of a Flaw. It wraps the StatusError to answer with.
type HeadError struct{ Flaw Flaw }

// Error names the status and the flaw.
func (e *HeadError) Error() string { return e.Flaw.status().Error() + " (" + e.Flaw.String() + ")" }

// Unwrap returns the status.
func (e *HeadError) Unwrap() error { return e.Flaw.status() }

var headErrors = func() (all [Flaws]*HeadError) {
	for f := range all {
		all[f] = &HeadError{Flaw(f)}
	}
	return all
}()

func flawed(f Flaw) error { return headErrors[f] }
