package httpapi

import (
	"iter"
	"net/http"
	"strings"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/permission"
	"deepstream-fast/session"
)

// login answers a POST of credentials. Source: spec/http-api.md §3.1.
func (s *Server) login(x *exchange, credentials []byte) {
	const refused = "Invalid authentication data."
	if credentials[blank(credentials, 0)] != '{' {
		s.stats.declined.Add(1)
		x.refuse(RefusedLogin, http.StatusUnauthorized, refused)
		return
	}
	result, _, ok := s.authenticate(x, credentials, refused)
	if x.declined { // not so if nobody has decided in time
		s.stats.declined.Add(1)
	}
	if !ok {
		return
	}
	s.stats.logins.Add(1)
	dst := []byte{'{'}
	if result.Token != nil {
		dst = append(append(dst, `"token":`...), result.Token...)
	}
	if result.Token != nil && result.ClientData != nil {
		dst = append(dst, ',')
	}
	if result.ClientData != nil {
		dst = append(append(dst, `"clientData":`...), result.ClientData...)
	}
	x.json(append(dst, '}'))
}

// authenticate tells whose credentials these are, or answers the request with refused.
func (s *Server) authenticate(x *exchange, credentials []byte, refused string) (auth.Result, *permission.User, bool) {
	verdict := make(chan auth.Result, 1)
	attempt := &auth.Request{
		RemoteAddr: x.r.RemoteAddr, Header: headerOf(x.r), Headers: headersOf(x.r), URL: x.r.URL.RequestURI(), Data: credentials,
	}
	s.opts.Auth.Authenticate(attempt, func(r auth.Result) { verdict <- r })
	late := time.NewTimer(s.opts.API.RequestTimeout)
	defer late.Stop()
	var result auth.Result
	select {
	case result = <-verdict:
	case <-late.C:
		attempt.Abandon()
		x.busy(RefusedLoginLate)
		return result, nil, false
	case <-s.stopped:
		attempt.Abandon()
		x.busy(RefusedNotReady)
		return result, nil, false
	}
	user, ok := session.UserOf(result)
	if !ok {
		if s.opts.API.LogInvalidAuthData {
			s.opts.Log.Info("login refused", "event", "AUTH_UNSUCCESSFUL", "remote", x.r.RemoteAddr, "authData", string(credentials))
		}
		x.declined = true
		x.refuse(RefusedLogin, http.StatusUnauthorized, refused)
		return result, nil, false
	}
	return result, user, true
}

// headerOf returns how an Authenticator looks at the header fields of r.
func headerOf(r *http.Request) func(name string) string {
	return func(name string) string {
		if strings.EqualFold(name, "host") { // which net/http keeps elsewhere
			return r.Host
		}
		return r.Header.Get(name)
	}
}

// headersOf yields every header field of r, names in lower case.
func headersOf(r *http.Request) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		if !yield("host", r.Host) {
			return
		}
		for name, values := range r.Header {
			for _, value := range values {
				if !yield(strings.ToLower(name), value) {
					return
				}
			}
		}
	}
}

// tokenData returns the credentials that a token stands for.
func tokenData(token []byte) []byte {
	return append(append([]byte(`{"token":`), token...), '}')
}
