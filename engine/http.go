package engine

import (
	"net/http"
	"strconv"

	"deepstream-fast/codec/ws"
)

// keepsAlive reports whether the connection may be used for another request after one that is answered
// here. One with a body may not: nobody here reads it.
func keepsAlive(head *ws.Head) bool { return head.Length == 0 && !head.LastHTTP() }

// appendResponse appends r as HTTP/1.1 to dst, without the body if the request was a HEAD.
func appendResponse(dst []byte, r Response, keep, headOnly bool) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(append(dst, ' '), http.StatusText(r.Status)...)
	if r.Type != "" {
		dst = append(append(dst, "\r\nContent-Type: "...), r.Type...)
	}
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(r.Body)), 10)
	if !keep {
		dst = append(dst, "\r\nConnection: close"...)
	}
	dst = append(dst, "\r\n"...)
	dst = append(append(dst, r.Fields...), "\r\n"...)
	if headOnly {
		return dst
	}
	return append(dst, r.Body...)
}
