package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
)

// message is the body of a request.
type message struct {
	ConnectionData connectionData  `json:"connectionData"`
	AuthData       json.RawMessage `json:"authData"`
}

type connectionData struct {
	RemoteAddress string            `json:"remoteAddress,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
	Referer       string            `json:"referer,omitempty"`
	URL           string            `json:"url,omitempty"`
}

// encode returns the body of the request about r.
func encode(r *auth.Request) ([]byte, error) {
	m := message{AuthData: r.Data}
	m.ConnectionData.RemoteAddress, m.ConnectionData.URL = hostOf(r.RemoteAddr), r.URL
	if r.Headers != nil {
		m.ConnectionData.Headers = map[string]string{}
		for name, value := range r.Headers {
			if first, twice := m.ConnectionData.Headers[name]; twice {
				value = first + ", " + value
			}
			m.ConnectionData.Headers[name] = value
		}
		m.ConnectionData.Referer = m.ConnectionData.Headers["referer"]
	}
	return json.Marshal(&m)
}

// hostOf returns an address without its port, as the official server has it.
func hostOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

// promote copies members of the credentials that are truthy in JavaScript, and fit, into headers.
func promote(h http.Header, names []string, data []byte) {
	for _, name := range names {
		v := gjson.GetBytes(data, gjson.Escape(name))
		value := ""
		switch v.Type {
		case gjson.String:
			value = v.Str
		case gjson.Number:
			if v.Num != 0 {
				value = v.Raw
			}
		case gjson.True:
			value = "true"
		}
		if value != "" && !strings.ContainsFunc(value, unicode.IsControl) { // or it would end the header
			h.Set(name, value)
		}
	}
}

// answer is what a webhook said.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// isJSON goes by the content type, as the official server does.
func (a *answer) isJSON() bool {
	typ, _, err := mime.ParseMediaType(a.contentType)
	return err == nil && (typ == "application/json" || typ == "text/json" || typ == "text/javascript" || strings.HasSuffix(typ, "+json"))
}

// errAnswer is what a success that says nothing understandable is.
var errAnswer = errors.New("webhook: not a user")

// resultOf reads a success: a text is the user's id, an object says more. It fails for everything else,
// since who can't be understood might mean no.
func resultOf(a answer) (auth.Result, error) {
	if len(strings.TrimSpace(string(a.body))) == 0 {
		return auth.Result{Valid: true}, nil
	}
	if !a.isJSON() {
		return auth.Result{Valid: true, ID: string(a.body)}, nil
	}
	if !gjson.ValidBytes(a.body) {
		return auth.Result{}, fmt.Errorf("%w: not JSON, whatever the content type says", errAnswer)
	}
	doc := gjson.ParseBytes(a.body)
	switch {
	case doc.Type == gjson.String:
		return auth.Result{Valid: true, ID: doc.Str}, nil
	case !doc.IsObject():
		return auth.Result{}, fmt.Errorf("%w: neither a text nor an object", errAnswer)
	}
	return objectResult(doc)
}

// objectResult reads {"id", "clientData", "serverData", "token", "isValid"}.
func objectResult(doc gjson.Result) (auth.Result, error) {
	r := auth.Result{ClientData: rawOf(doc.Get("clientData")), ServerData: rawOf(doc.Get("serverData")), Token: rawOf(doc.Get("token"))}
	switch valid := doc.Get("isValid"); {
	case !valid.Exists() || valid.Type == gjson.True:
		r.Valid = true
	case valid.Type == gjson.False || valid.Type == gjson.Null:
		return auth.Result{ClientData: r.ClientData}, nil
	default:
		return auth.Result{}, fmt.Errorf("%w: isValid is neither true nor false", errAnswer)
	}
	switch id := doc.Get("id"); id.Type {
	case gjson.Null: // absent, too
	case gjson.String:
		r.ID = id.Str
	case gjson.Number:
		r.ID = strconv.FormatFloat(id.Num, 'f', -1, 64)
	default:
		return auth.Result{}, fmt.Errorf("%w: id is neither a text nor a number", errAnswer)
	}
	return r, nil
}

// reasonOf returns what the client is told by a refusal: the object of the body, or its text as error.
func reasonOf(a answer) []byte {
	text := strings.TrimSpace(string(a.body))
	if text == "" {
		return nil
	}
	if a.isJSON() && gjson.Valid(text) {
		switch doc := gjson.Parse(text); {
		case doc.IsObject():
			return withoutSecrets(doc)
		case doc.Type == gjson.String && doc.Str != "":
			text = doc.Str
		default:
			return nil
		}
	}
	return auth.Refusal(text).ClientData
}

// withoutSecrets returns an object without the members that are not for clients.
func withoutSecrets(doc gjson.Result) []byte {
	if !doc.Get("serverData").Exists() && !doc.Get("token").Exists() {
		return []byte(doc.Raw)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc.Raw), &members); err != nil {
		return nil
	}
	delete(members, "serverData")
	delete(members, "token")
	text, err := json.Marshal(members)
	if err != nil {
		return nil
	}
	return text
}

func rawOf(v gjson.Result) []byte {
	if !v.Exists() {
		return nil
	}
	return []byte(v.Raw)
}
