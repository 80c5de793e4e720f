package httpapi

import (
	"hash/crc32"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"deepstream-fast/protocol"
)

// recordPath, behind GetPath and in front of a name, is where records are read.
const recordPath = "/record/"

// recordOf returns the name of the record whose path is asked for. Everything behind recordPath is the
// name, percent-encoded; slashes need not be.
func (s *Server) recordOf(r *http.Request) (name string, ok bool) {
	if s.opts.API == nil {
		return "", false
	}
	prefix := strings.TrimSuffix(s.opts.API.GetPath, "/") + recordPath
	encoded, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix)
	if !ok || encoded == "" {
		return "", false
	}
	name, err := url.PathUnescape(encoded)
	return name, err == nil
}

// read answers a GET or HEAD of a record with its data.
func (s *Server) read(x *exchange, name string) {
	h := x.w.Header()
	h.Add("Vary", "Authorization")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Access-Control-Expose-Headers", "ETag")
	if s.stats.running.Add(1) > int64(s.opts.RequestsMax) {
		s.stats.running.Add(-1)
		x.busy(RefusedBusy)
		return
	}
	defer s.stats.running.Add(-1)
	if a := accountOf(x.r); a != nil && !s.inRate(x, a, 1) {
		return
	}
	credentials, ok := bearer(x.r)
	if !ok {
		s.unauthorized(x)
		return
	}
	h.Set("WWW-Authenticate", "Bearer") // taken back when it turns out not to be needed
	_, user, ok := s.authenticate(x, credentials, "Unsuccessful authentication attempt.")
	if !ok {
		return
	}
	h.Del("WWW-Authenticate")
	if !x.take(commandCost) {
		x.busy(RefusedMemory)
		return
	}
	q, ok := s.carryOut(x, user, []protocol.Message{{Topic: protocol.TopicRecord, Action: protocol.RecordRead, Name: []byte(name)}})
	if ok {
		s.answerRead(x, &q.Messages[0], &q.Answers[0])
	}
}

func (s *Server) unauthorized(x *exchange) {
	x.w.Header().Set("WWW-Authenticate", "Bearer")
	x.refuse(RefusedLogin, http.StatusUnauthorized, `Invalid "Authorization" header. Supported schemes: Bearer`)
}

// bearer returns the credentials of a request: its token, or none.
func bearer(r *http.Request) (credentials []byte, ok bool) {
	field := r.Header.Get("Authorization")
	if field == "" {
		return []byte("{}"), true
	}
	scheme, token, _ := strings.Cut(field, " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, false
	}
	return tokenData(appendQuoted(nil, token)), true
}

// answerRead turns the answer to a READ into one of HTTP.
func (s *Server) answerRead(x *exchange, m, a *protocol.Message) {
	if a.Topic == protocol.TopicRecord && a.Action == protocol.RecordReadResponse {
		tag := etag(a)
		x.w.Header().Set("ETag", tag)
		if matches(x.r.Header.Get("If-None-Match"), tag) {
			x.finish(http.StatusNotModified, nil)
			return
		}
		x.w.Header().Set("Content-Type", "application/json; charset=utf-8")
		x.finish(http.StatusOK, a.Data)
		return
	}
	f := failureOf(m, a)
	switch {
	case f.event == `"`+timeoutEvent+`"`:
		x.text(http.StatusGatewayTimeout, f.text)
	case a.Topic == protocol.TopicRecord && a.Action == protocol.RecordNotFound:
		x.text(http.StatusNotFound, f.text)
	case a.Topic == protocol.TopicRecord && (a.Action == protocol.RecordMessageDenied || a.Action == protocol.RecordMessagePermissionError):
		x.refuse(RefusedPermission, http.StatusForbidden, f.text)
	case a.Topic == protocol.TopicParser && a.Action == protocol.ParserUnknownTopic: // records are switched off
		x.refuse(RefusedNotFound, http.StatusNotFound, notFound)
	case a.Topic == protocol.TopicRecord:
		x.text(http.StatusInternalServerError, f.text)
	default:
		x.busy(RefusedBusy)
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// etag returns the entity tag of a record: its version, and a checksum, because versions begin anew when
// a record is deleted and created again.
func etag(a *protocol.Message) string {
	return `"` + strconv.Itoa(int(a.Version)) + "-" + strconv.FormatUint(uint64(crc32.Checksum(a.Data, castagnoli)), 16) + `"`
}

// matches reports whether an If-None-Match lists tag. RFC 9110 §13.1.2.
func matches(field, tag string) bool {
	for one := range strings.SplitSeq(field, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}
