package httpapi

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"deepstream-fast/lazyjson"
)

// body reads the JSON text of a request, or answers what is wrong with it. An empty one is an empty
// object. Source: spec/http-api.md §1.3.
func (s *Server) body(x *exchange) (text []byte, ok bool) {
	media, params, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		x.refuse(RefusedMediaType, http.StatusUnsupportedMediaType, `Invalid "Content-Type" header. Supported media types: "application/json"`)
		return nil, false
	}
	charset := strings.ToLower(params["charset"])
	if charset != "" && charset != "utf-8" {
		x.unparsed(fmt.Errorf("unsupported charset %q", printable(strings.ToUpper(charset))))
		return nil, false
	}
	text, err = s.readBody(x)
	text = bytes.TrimPrefix(text, byteOrderMark)
	switch {
	case errors.Is(err, errMemory):
		x.w.Header().Set("Connection", "close")
		x.busy(RefusedMemory)
		return nil, false
	case err == nil && len(text) == 0:
		return []byte("{}"), true
	case err == nil:
		err = checkJSON(text)
	}
	if err != nil {
		x.unparsed(err)
		return nil, false
	}
	return text, true
}

// unparsed answers a body that can't be used.
func (x *exchange) unparsed(err error) {
	x.refuse(RefusedBody, http.StatusBadRequest, "Failed to parse body of request: "+err.Error())
}

// What a body can suffer from.
var (
	errTooLarge = errors.New("request entity too large")
	errMemory   = errors.New("no memory left for bodies")
	errNesting  = errors.New("nested too deep")
	errTopLevel = errors.New("expected an object or an array")
)

// byteOrderMark begins what some editors and shells on Windows send. RFC 8259 §8.1 lets a reader skip it.
var byteOrderMark = []byte("\ufeff")

// checkJSON returns what is wrong with a body that is to be an object or an array.
func checkJSON(text []byte) error {
	if !lazyjson.Valid(text) {
		var any json.RawMessage
		if err := json.Unmarshal(text, &any); err != nil {
			return err
		}
		return errNesting
	}
	if c := text[blank(text, 0)]; c != '{' && c != '[' {
		return errTopLevel
	}
	return nil
}

// bodyGrace is how long a body may still take when the server is shutting down.
const bodyGrace = 500 * time.Millisecond

// readBody reads and inflates a body, as far as the limits go.
func (s *Server) readBody(x *exchange) ([]byte, error) {
	if x.r.ContentLength == 0 {
		return nil, nil
	}
	rc := http.NewResponseController(x.w)
	_ = rc.SetReadDeadline(time.Now().Add(s.opts.BodyTimeout))
	hurried := context.AfterFunc(s.closing, func() { _ = rc.SetReadDeadline(time.Now().Add(bodyGrace)) })
	defer hurried()
	in, err := inflated(x.r)
	if err != nil {
		return nil, err
	}
	// A stated length is believed only as far as bytes arrive.
	size := 4 << 10
	if x.r.ContentLength > 0 && x.r.ContentLength < 64<<10 {
		size = int(x.r.ContentLength) + 1 // one more, to see the end without growing
	}
	text, err := s.readAll(x, in, size)
	if err != nil {
		return nil, err
	}
	_ = rc.SetReadDeadline(time.Time{})
	return text, nil
}

// readAll reads in to its end into a buffer that grows from size bytes on.
func (s *Server) readAll(x *exchange, in io.Reader, size int) ([]byte, error) {
	if !x.take(size) {
		return nil, errMemory
	}
	text := make([]byte, 0, size)
	for {
		if len(text) == cap(text) {
			grown := min(2*cap(text), s.opts.BodyBytesMax+1)
			if !x.take(grown) {
				return nil, errMemory
			}
			text = append(make([]byte, 0, grown), text...)
		}
		n, err := in.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case len(text) > s.opts.BodyBytesMax:
			return nil, errTooLarge
		case err == io.EOF:
			return text, nil
		case err != nil:
			return nil, bodyError(err)
		}
	}
}

// bodyError words what reading has met.
func bodyError(err error) error {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("request took too long")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("request ended early")
	}
	return errors.New("invalid encoding")
}

// inflated returns the body without its content coding.
func inflated(r *http.Request) (io.Reader, error) {
	switch coding := strings.ToLower(r.Header.Get("Content-Encoding")); coding {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		in, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, bodyError(err)
		}
		return in, nil
	case "deflate":
		in, err := zlib.NewReader(r.Body)
		if err != nil {
			return nil, bodyError(err)
		}
		return in, nil
	default:
		return nil, fmt.Errorf("unsupported content encoding %q", printable(coding))
	}
}
