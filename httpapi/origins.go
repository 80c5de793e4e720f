package httpapi

import (
	"slices"
	"strings"
)

// Origins says from which web pages, and under which host name, requests are taken. It is constant.
type Origins struct {
	AllowAll bool
	Allowed  []string // otherwise, exactly these
	Host     string   // that the Host header must equal; empty: any
}

// Allows reports whether requests of the web page origin are taken.
func (o *Origins) Allows(origin string) bool { return o.AllowAll || slices.Contains(o.Allowed, origin) }

// AllowsHost reports whether requests to host, a Host header, are taken.
func (o *Origins) AllowsHost(host string) bool { return o.Host == "" || host == o.Host }

// Check judges an HTTP request by its header fields, an empty one being one that is not there. It returns
// the value of Access-Control-Allow-Origin, or why the request is forbidden. Source: spec/http-api.md §1.4.
func (o *Origins) Check(origin, referer, host string) (allow, problem string) {
	allow = "*"
	if !o.AllowAll {
		if allow = origin; allow == "" {
			allow = referer
		}
		switch {
		case allow == "":
			return "", `CORS is configured for this. All requests must set a valid "Origin" header.`
		case !o.Allows(allow):
			return "", `Origin "` + printable(allow) + `" is forbidden.`
		}
	}
	if !o.AllowsHost(host) {
		return "", "Forbidden Host."
	}
	return allow, ""
}

// printable keeps what a header field held from being more than a word in an answer.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

const (
	methods     = "GET, POST, OPTIONS"
	headers     = "X-Requested-With, X-HTTP-Method-Override, Content-Type, Accept"
	readMethods = "GET, HEAD, OPTIONS"
	readHeaders = headers + ", Authorization, If-None-Match"
)

// preflight answers OPTIONS. Reading records takes other methods and more header fields than the rest.
func (s *Server) preflight(x *exchange) {
	allowed, fields := methods, headers
	if _, ok := s.recordOf(x.r); ok {
		allowed, fields = readMethods, readHeaders
	}
	method := x.r.Header.Get("Access-Control-Request-Method")
	switch {
	case method == "":
		x.text(400, `Missing header "Access-Control-Request-Method".`)
		return
	case !listed(allowed, method):
		x.text(403, "Method "+printable(method)+" is forbidden. Supported methods: "+allowed)
		return
	}
	wanted := x.r.Header.Get("Access-Control-Request-Headers")
	if wanted == "" {
		x.text(400, `Missing header "Access-Control-Request-Headers".`)
		return
	}
	for field := range strings.SplitSeq(wanted, ",") {
		if field = strings.TrimSpace(field); !listed(strings.ToLower(fields), strings.ToLower(field)) {
			x.text(403, "Header "+printable(field)+" is forbidden. Supported headers: "+fields)
			return
		}
	}
	x.w.Header().Set("Access-Control-Allow-Methods", allowed)
	x.w.Header().Set("Access-Control-Allow-Headers", fields)
	x.finish(204, nil)
}

// listed reports whether word is in a list as it stands in a header field.
func listed(list, word string) bool { return slices.Contains(strings.Split(list, ", "), word) }
