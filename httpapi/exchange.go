package httpapi

import (
	"net/http"
	"strconv"
	"time"
)

// exchange is one request and its answer.
type exchange struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	held int64 // bytes of the common memory that this request has taken

	declined bool // its credentials were refused
}

// The pace at which an answer must be taken.
const (
	writeGrace     = 30 * time.Second
	writeRateLeast = 64 << 10 // bytes per second
)

// end gives back what the request has taken, whatever happened.
func (x *exchange) end() {
	x.s.stats.memory.Add(-x.held)
	if p := recover(); p != nil {
		x.s.recovered(p)
		panic(http.ErrAbortHandler)
	}
}

// take reserves n more bytes, or returns false if all requests together have too many.
func (x *exchange) take(n int) bool {
	if x.s.stats.memory.Add(int64(n)) > x.s.opts.MemoryBytesMax {
		x.s.stats.memory.Add(int64(-n))
		return false
	}
	x.held += int64(n)
	return true
}

// refuse answers a request that is not carried out.
func (x *exchange) refuse(why Refusal, status int, text string) {
	x.s.stats.refused[why].Add(1)
	x.text(status, text)
}

// busy refuses a request that there is no room for now.
func (x *exchange) busy(why Refusal) {
	x.w.Header().Set("Retry-After", "1")
	x.refuse(why, http.StatusServiceUnavailable, "The server is busy.")
}

// ending follows every body. Source: spec/http-api.md §1.2.
const ending = "\r\n\r\n"

// text answers with a line of text.
func (x *exchange) text(status int, text string) {
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.finish(status, []byte(text+ending))
}

// json answers with a JSON value, which it may append to.
func (x *exchange) json(value []byte) {
	x.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	x.finish(http.StatusOK, append(value, ending...))
}

// finish sends the answer.
func (x *exchange) finish(status int, body []byte) {
	x.count(status)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.allow(len(body))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead && len(body) > 0 {
		_, _ = x.w.Write(body) // a peer that is gone has no use for it
	}
}

// piece sends the first or a further piece of a JSON value whose size nobody knows.
func (x *exchange) piece(begun *bool, piece []byte) {
	if !*begun {
		*begun = true
		x.w.Header().Set("Content-Type", "application/json; charset=utf-8")
		x.count(http.StatusOK)
		x.allow(int(x.held))
		x.w.WriteHeader(http.StatusOK)
	}
	_, _ = x.w.Write(piece)
}

// allow gives the peer the time to take n bytes.
func (x *exchange) allow(n int) {
	d := writeGrace + time.Duration(n/writeRateLeast)*time.Second
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(d))
}

func (x *exchange) count(status int) {
	x.s.stats.classes[min(status/100, len(x.s.stats.classes)-1)].Add(1)
}

// counting returns the writer for somebody else's answer.
func (x *exchange) counting() http.ResponseWriter { return &countingWriter{ResponseWriter: x.w, x: x} }

// countingWriter counts an answer by its status.
type countingWriter struct {
	http.ResponseWriter
	x       *exchange
	counted bool
}

// WriteHeader implements http.ResponseWriter.
func (w *countingWriter) WriteHeader(status int) {
	if !w.counted && status >= 200 {
		w.counted = true
		w.x.count(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *countingWriter) Write(b []byte) (int, error) {
	if !w.counted {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
