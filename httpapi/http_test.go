package httpapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"deepstream-fast/fuzz/peer"
	"deepstream-fast/protocol"
	"deepstream-fast/session"
)

// Every way to be refused before anything is carried out, by its exact words.
func TestRefusals(t *testing.T) {
	r := startRig(t, func(o *Options, _ *session.Options) { o.BodyBytesMax = 2000 })
	const emit = `{"topic":"event","action":"emit","eventName":"e"}`
	for _, tt := range []struct {
		name, method, path, body string
		fields                   []string
		status                   int
		text                     string
	}{
		{name: "no content type", method: "POST", path: "/api", fields: []string{"Content-Type", ""}, status: 415,
			text: `Invalid "Content-Type" header. Supported media types: "application/json"`},
		{name: "form", method: "POST", path: "/api", fields: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415,
			text: `Invalid "Content-Type" header. Supported media types: "application/json"`},
		{name: "other charset", method: "POST", path: "/api", body: `{}`, fields: []string{"Content-Type", "application/json; charset=latin1"}, status: 400,
			text: `Failed to parse body of request: unsupported charset "LATIN1"`},
		{name: "too large", method: "POST", path: "/api", body: strings.Repeat(" ", 2001), status: 400,
			text: "Failed to parse body of request: request entity too large"},
		{name: "no JSON", method: "POST", path: "/api", body: `{"body":`, status: 400,
			text: "Failed to parse body of request: unexpected end of JSON input"},
		{name: "scalar", method: "POST", path: "/api", body: ` 1`, status: 400, text: "Failed to parse body of request: expected an object or an array"},
		{name: "blanks", method: "POST", path: "/api", body: `  `, status: 400, text: "Failed to parse body of request: unexpected end of JSON input"},
		{name: "byte order mark", method: "POST", path: "/api", body: "\ufeff{}", status: 400, text: `Invalid message: the "body" parameter must exist.`},
		{name: "two of them", method: "POST", path: "/api", body: "\ufeff\ufeff{}", status: 400,
			text: "Failed to parse body of request: invalid character 'ï' looking for beginning of value"},
		{name: "coding", method: "POST", path: "/api", body: `{}`, fields: []string{"Content-Encoding", "br"}, status: 400,
			text: `Failed to parse body of request: unsupported content encoding "br"`},
		{name: "not gzip", method: "POST", path: "/api", body: `{}`, fields: []string{"Content-Encoding", "gzip"}, status: 400,
			text: "Failed to parse body of request: request ended early"},
		{name: "not deflated", method: "POST", path: "/api", body: `{"a":"b"}`, fields: []string{"Content-Encoding", "deflate"}, status: 400,
			text: "Failed to parse body of request: invalid encoding"},
		{name: "unknown path", method: "POST", path: "/other", body: `{}`, status: 404, text: "Endpoint not found."},
		{name: "unknown path, form", method: "POST", path: "/other", body: `a=b`, fields: []string{"Content-Type", "text/plain"}, status: 415,
			text: `Invalid "Content-Type" header. Supported media types: "application/json"`},
		{name: "a prefix is a path", method: "POST", path: "/apixyz", body: `{}`, status: 404, text: "Endpoint not found."},
		{name: "below the path", method: "POST", path: "/api/x?y=z", body: `{}`, status: 400, text: `Invalid message: the "body" parameter must exist.`},
		{name: "unknown read", method: "GET", path: "/other", status: 404, text: "Endpoint not found."},
		{name: "read of nothing", method: "GET", path: "/api", status: 400,
			text: "Reading records via HTTP GET is not yet implemented, please use a post request instead."},
		{name: "method", method: "PUT", path: "/api", status: 405, text: "Unsupported method. Supported methods: GET, POST, OPTIONS"},
		{name: "head of nothing", method: "HEAD", path: "/api", status: 405},

		{name: "nothing", method: "POST", path: "/api", status: 400, text: `Invalid message: the "body" parameter must exist.`},
		{name: "array", method: "POST", path: "/api", body: `[1]`, status: 400, text: `Invalid message: the "body" parameter must exist.`},
		{name: "null", method: "POST", path: "/api", body: `{"body":null}`, status: 400, text: `Invalid message: the "body" parameter must exist.`},
		{name: "zero", method: "POST", path: "/api", body: `{"body":-0.0}`, status: 400, text: `Invalid message: the "body" parameter must exist.`},
		{name: "empty text", method: "POST", path: "/api", body: `{"body":""}`, status: 400, text: `Invalid message: the "body" parameter must exist.`},
		{name: "object", method: "POST", path: "/api", body: `{"body":{}}`, status: 400, text: `Invalid message: the "body" parameter must be a non-empty array of Objects.`},
		{name: "one", method: "POST", path: "/api", body: `{"body":1}`, status: 400, text: `Invalid message: the "body" parameter must be a non-empty array of Objects.`},
		{name: "no commands", method: "POST", path: "/api", body: `{"body":[ ]}`, status: 400, text: `Invalid message: the "body" parameter must be a non-empty array of Objects.`},
		{name: "authData null", method: "POST", path: "/api", body: `{"authData":null,"body":[` + emit + `]}`, status: 400, text: `Invalid message: the "authData" parameter must be an object`},
		{name: "authData text", method: "POST", path: "/api", body: `{"authData":"x","body":[` + emit + `]}`, status: 400, text: `Invalid message: the "authData" parameter must be an object`},
		{name: "token number", method: "POST", path: "/api", body: `{"token":1,"body":[` + emit + `]}`, status: 400, text: `Invalid message: the "token" parameter must be a non-empty string`},
		{name: "empty token", method: "POST", path: "/api", body: `{"token":"","body":[` + emit + `]}`, status: 400, text: `Invalid message: the "token" parameter must be a non-empty string`},
		{name: "wrong token", method: "POST", path: "/api", body: `{"token":"bad","body":[` + emit + `]}`, status: 401, text: `Unsuccessful authentication attempt.`},
		{name: "login before commands", method: "POST", path: "/api", body: `{"token":"bad","body":[1]}`, status: 401, text: `Unsuccessful authentication attempt.`},
		{name: "one wrong command", method: "POST", path: "/api", body: `{"body":[` + emit + `,1]}`, status: 400,
			text: "Failed to parse JIF object at index 1. Reason: a command must be an object"},
		{name: "login", method: "POST", path: "/api/auth", body: `{"password":"x"}`, status: 401, text: "Invalid authentication data."},
		{name: "login of nobody", method: "POST", path: "/api/auth", body: `[]`, status: 401, text: "Invalid authentication data."},
		{name: "read with a wrong token", method: "GET", path: "/api/record/r", fields: []string{"Authorization", "Bearer bad"}, status: 401, text: "Unsuccessful authentication attempt."},
		{name: "read with a password", method: "GET", path: "/api/record/r", fields: []string{"Authorization", "Basic eA=="}, status: 401,
			text: `Invalid "Authorization" header. Supported schemes: Bearer`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			res, text := r.do(tt.method, tt.path, tt.body, tt.fields...)
			want := tt.text + "\r\n\r\n"
			if tt.method == "HEAD" {
				want = ""
			}
			if res.StatusCode != tt.status || text != want {
				t.Errorf("answered %d %q, want %d %q", res.StatusCode, text, tt.status, want)
			}
			if h := res.Header; h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("header %v", h)
			}
		})
	}
	r.t = t
	if s := r.server.Stats(); s.Commands != 0 || s.Classes[4] == 0 || s.Classes[2] != 0 {
		t.Errorf("counted %+v", s)
	}
}

func TestOriginsAndHostsAreChecked(t *testing.T) {
	r := startRig(t, func(o *Options, _ *session.Options) {
		o.Origins = Origins{Allowed: []string{"https://a.example", "https://b.example"}, Host: "api.example"}
	})
	const path = "/api/auth"
	for _, tt := range []struct {
		fields []string
		status int
		text   string
	}{
		{nil, 403, `CORS is configured for this. All requests must set a valid "Origin" header.`},
		{[]string{"Origin", "https://c.example"}, 403, `Origin "https://c.example" is forbidden.`},
		{[]string{"Referer", "https://c.example"}, 403, `Origin "https://c.example" is forbidden.`},
		{[]string{"Origin", "https://a.example"}, 403, "Forbidden Host."},
		{[]string{"Origin", "https://b.example", "Host", "api.example"}, 200, "{}"},
		{[]string{"Referer", "https://b.example", "Host", "api.example"}, 200, "{}"},
	} {
		res, text := r.do("POST", path, `{"username":"u"}`, tt.fields...)
		if res.StatusCode != tt.status || text != tt.text+"\r\n\r\n" {
			t.Errorf("%v: %d %q", tt.fields, res.StatusCode, text)
		}
		if h := res.Header; tt.status == 200 && (h.Get("Access-Control-Allow-Origin") != "https://b.example" || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin") {
			t.Errorf("%v: %v", tt.fields, h)
		}
	}
}

func TestPreflight(t *testing.T) {
	r := startRig(t, nil)
	for _, tt := range []struct {
		path, method, fields string
		status               int
		text                 string
	}{
		{"/api", "", "", 400, `Missing header "Access-Control-Request-Method".`},
		{"/api", "PUT", "", 403, "Method PUT is forbidden. Supported methods: GET, POST, OPTIONS"},
		{"/any", "POST", "", 400, `Missing header "Access-Control-Request-Headers".`},
		{"/api", "POST", "content-type, X-Other", 403, "Header X-Other is forbidden. Supported headers: X-Requested-With, X-HTTP-Method-Override, Content-Type, Accept"},
		{"/any", "POST", "content-type, ACCEPT", 204, ""},
		{"/api", "GET", "authorization", 403, "Header authorization is forbidden. Supported headers: X-Requested-With, X-HTTP-Method-Override, Content-Type, Accept"},
		{"/api/record/r", "GET", "authorization,if-none-match", 204, ""},
		{"/api/record/r", "POST", "accept", 403, "Method POST is forbidden. Supported methods: GET, HEAD, OPTIONS"},
	} {
		res, text := r.do("OPTIONS", tt.path, "", "Access-Control-Request-Method", tt.method, "Access-Control-Request-Headers", tt.fields)
		if tt.text != "" {
			tt.text += "\r\n\r\n"
		}
		if res.StatusCode != tt.status || text != tt.text {
			t.Errorf("%+v: %d %q", tt, res.StatusCode, text)
		}
		if got := res.Header.Get("Access-Control-Allow-Methods"); (got != "") != (tt.status == 204) {
			t.Errorf("%+v: methods %q", tt, got)
		}
	}
}

func TestLoginAnswers(t *testing.T) {
	r := startRig(t, func(o *Options, _ *session.Options) { o.API.RequestTimeout = 200 * time.Millisecond })
	for body, want := range map[string]string{
		`{"username":"u"}`:     `{}`,
		`{"token":"good"}`:     `{"clientData":{"a":1}}`,
		`{"username":"token"}`: `{"token":"T","clientData":{"a":1}}`,
	} {
		if res, text := r.do("POST", "/api/auth", body); res.StatusCode != 200 || text != want+"\r\n\r\n" || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %q", body, res.StatusCode, text)
		}
	}
	if res, _ := r.do("POST", "/api/auth", `{"username":"header"}`, "X-Secret", "s"); res.StatusCode != 200 {
		t.Errorf("the authenticator does not see the header: %d", res.StatusCode)
	}
	if res, text := r.do("POST", "/api/auth", `{"username":"slow"}`); res.StatusCode != 503 || text != "The server is busy.\r\n\r\n" {
		t.Errorf("an authenticator that never answers: %d %q", res.StatusCode, text)
	}
	for _, refused := range []string{`{"password":"wrong"}`, `[]`} {
		if res, text := r.do("POST", "/api/auth", refused); res.StatusCode != 401 {
			t.Errorf("%s: %d %q", refused, res.StatusCode, text)
		}
	}
	if res, _ := r.do("POST", "/api", `{"authData":{"password":"wrong"},"body":[{"topic":"presence","action":"query"}]}`); res.StatusCode != 401 {
		t.Errorf("wrong credentials with a command: %d", res.StatusCode)
	}
	// Nobody has decided about the slow one, and those of commands are no logins.
	if s := r.server.Stats(); s.Logins != 4 || s.Declined != 2 || s.Refused[RefusedLogin] != 3 || s.Refused[RefusedLoginLate] != 1 {
		t.Errorf("counted %+v", s)
	}
}

func TestAuthDataCanBeSwitchedOff(t *testing.T) {
	r := startRig(t, func(o *Options, _ *session.Options) { o.API.AllowAuthData, o.API.AuthPath = false, "" })
	if status, text := r.post(`{"authData":null,"body":[1]}`); status != 400 || text != "Authentication using authData is disabled. Try using a token instead.\r\n\r\n" {
		t.Errorf("%d %q", status, text)
	}
	// Without an endpoint for logins its path is one for commands.
	if res, text := r.do("POST", "/api/auth", `{}`); res.StatusCode != 400 || text != "Invalid message: the \"body\" parameter must exist.\r\n\r\n" {
		t.Errorf("%d %q", res.StatusCode, text)
	}
}

// The slots of commands, as they come from a whole node.
func TestCommands(t *testing.T) {
	r := startRig(t, nil)
	c := r.client("alice", "EVENT SUBSCRIBE names=[e] correlationId=1", "RPC PROVIDE names=[mute] correlationId=2")
	for _, tt := range []struct{ name, command, slot string }{
		{"emit", `{"topic":"event","action":"emit","eventName":"e","data":{"a": [1,2.50]}}`, `{"success":true}`},
		{"emit without data", `{"action":"emit","topic":"event","eventName":"e"}`, `{"success":true}`},
		{"denied emit", `{"topic":"event","action":"emit","eventName":"deny-e"}`,
			`{"success":false,"error":"Message denied. Action 'emit' is not permitted.","errorEvent":"MESSAGE_DENIED","errorAction":"emit","errorTopic":"event","errorEventName":"MESSAGE_DENIED"}`},
		{"failed emit", `{"topic":"event","action":"emit","eventName":"fail-e"}`,
			`{"success":false,"error":"Message denied. Action 'emit' is not permitted.","errorEvent":"MESSAGE_DENIED","errorAction":"emit","errorTopic":"event","errorEventName":"MESSAGE_DENIED"}`},
		{"head of nothing", `{"topic":"record","action":"head","recordName":"r"}`, `{"version":-1,"success":true}`},
		{"read of nothing", `{"topic":"record","action":"read","recordName":"r"}`,
			`{"errorTopic":"record","errorEvent":107,"success":false,"error":"Record read failed. Record \"r\" could not be found.","errorEventName":"RECORD_NOT_FOUND"}`},
		{"write", `{"topic":"record","action":"write","recordName":"r","data":{"a": 1}}`, `{"success":true}`},
		{"read", `{"topic":"record","action":"read","recordName":"r"}`, `{"version":1,"data":{"a": 1},"success":true}`},
		{"version 0 is any", `{"topic":"record","action":"write","recordName":"r","data":{"a":2},"version":0}`, `{"success":true}`},
		{"patch", `{"topic":"record","action":"write","recordName":"r","path":"b.c","data":"x","version":3}`, `{"success":true}`},
		{"patch with null", `{"topic":"record","action":"write","recordName":"r","path":"d","data":null}`, `{"success":true}`},
		{"patched", `{"topic":"record","action":"read","recordName":"r"}`, `{"version":4,"data":{"a":2,"b":{"c":"x"},"d":null},"success":true}`},
		{"empty path", `{"topic":"record","action":"write","recordName":"r","path":"","data":{"a":1}}`, `{"success":true}`},
		{"head", `{"topic":"record","action":"head","recordName":"r"}`, `{"version":5,"success":true}`},
		{"version exists", `{"topic":"record","action":"write","recordName":"r","data":{"b":1},"version":5}`,
			`{"errorTopic":"record","errorEvent":102,"success":false,"error":"Record update failed. Version 5 exists for record \"r\".","currentVersion":5,"currentData":{"a":1},"errorEventName":"VERSION_EXISTS"}`},
		{"invalid version", `{"topic":"record","action":"write","recordName":"r","data":{"b":1},"version":9}`,
			`{"errorTopic":"record","errorEvent":108,"success":false,"error":"Record update failed. Version 9 is not valid for record \"r\".","currentVersion":9,"currentData":{"b":1},"errorEventName":"INVALID_VERSION"}`},
		{"bad path", `{"topic":"record","action":"write","recordName":"r","path":"a[4000000000]","data":1}`,
			`{"errorTopic":"record","errorEvent":116,"success":false,"error":"An error occurred: INVALID_MESSAGE_DATA.","errorParams":"r","errorEventName":"INVALID_MESSAGE_DATA"}`},
		{"denied read", `{"topic":"record","action":"read","recordName":"deny-r"}`,
			`{"errorTopic":"record","errorEvent":115,"success":false,"error":"Message denied. Action \"READ\" is not permitted.","action":3,"errorEventName":"MESSAGE_DENIED"}`},
		{"denied write", `{"topic":"record","action":"write","recordName":"deny-r","data":{}}`,
			`{"errorTopic":"record","errorEvent":115,"success":false,"error":"Message denied. Action \"CREATEANDUPDATE\" is not permitted.","action":16,"errorEventName":"MESSAGE_DENIED"}`},
		{"denied patch", `{"topic":"record","action":"write","recordName":"deny-r","path":"a","data":1}`,
			`{"errorTopic":"record","errorEvent":115,"success":false,"error":"Message denied. Action \"CREATEANDPATCH\" is not permitted.","action":17,"errorEventName":"MESSAGE_DENIED"}`},
		{"failed read", `{"topic":"record","action":"read","recordName":"fail-r"}`,
			`{"errorTopic":"record","errorEvent":114,"success":false,"error":"An error occurred: MESSAGE_PERMISSION_ERROR.","errorParams":"fail-r","errorEventName":"MESSAGE_PERMISSION_ERROR"}`},
		{"denied notify", `{"topic":"record","action":"notify","recordNames":["r","deny-r"]}`,
			`{"errorTopic":"record","errorEvent":115,"success":false,"error":"Message denied. Action \"NOTIFY\" is not permitted.","action":2,"errorEventName":"MESSAGE_DENIED"}`},
		{"notify", `{"topic":"record","action":"notify","recordNames":["r","none"]}`, `{"success":true}`},
		{"notify of nothing", `{"topic":"record","action":"notify","recordNames":[]}`, `{"success":true}`},
		{"delete", `{"topic":"record","action":"delete","recordName":"r"}`, `{"success":true}`},
		{"delete again", `{"topic":"record","action":"delete","recordName":"r"}`, `{"success":true}`},
		{"list write", `{"topic":"list","action":"write","listName":"l","data":["a","b"]}`, `{"success":true}`},
		{"list read", `{"topic":"list","action":"read","listName":"l"}`, `{"version":1,"data":["a","b"],"success":true}`},
		{"list delete", `{"topic":"list","action":"delete","listName":"l"}`, `{"success":true}`},
		{"presence", `{"topic":"presence","action":"query"}`, `{"users":["alice"],"success":true}`},
		{"presence of names", `{"topic":"presence","action":"query","names":["alice","bob"]}`, `{"users":{"alice":true,"bob":false},"success":true}`},
		{"presence of no names", `{"topic":"presence","action":"query","names":[]}`, `{"users":{},"success":true}`},
		{"denied presence", `{"topic":"presence","action":"query","names":["deny"]}`,
			`{"errorTopic":"presence","errorEvent":102,"success":false,"error":"Message denied. Action \"QUERY\" is not permitted.","action":4,"errorEventName":"MESSAGE_DENIED"}`},
		{"no provider", `{"topic":"rpc","action":"make","rpcName":"none","data":1}`,
			`{"errorTopic":"rpc","errorEvent":100,"success":false,"error":"No provider was available to handle the RPC \"none\".","errorEventName":"NO_RPC_PROVIDER"}`},
		{"denied call", `{"topic":"rpc","action":"make","rpcName":"deny-x"}`,
			`{"errorTopic":"rpc","errorEvent":107,"success":false,"error":"Message denied. Action \"REQUEST\" is not permitted.","action":2,"errorEventName":"MESSAGE_DENIED"}`},
		{"never accepted", `{"topic":"rpc","action":"make","rpcName":"mute"}`,
			`{"errorTopic":"rpc","errorEvent":101,"success":false,"error":"An error occurred: ACCEPT_TIMEOUT.","errorParams":"mute","errorEventName":"ACCEPT_TIMEOUT"}`},
		{"names are decoded", `{"topic":"record","action":"write","recordName":"caf\u00e9\n","data":[]}`, `{"success":true}`},
		{"and encoded", `{"topic":"record","action":"write","recordName":"caf\u00e9\n","data":[],"version":1}`,
			`{"errorTopic":"record","errorEvent":102,"success":false,"error":"Record update failed. Version 1 exists for record \"café\n\".","currentVersion":1,"currentData":[],"errorEventName":"VERSION_EXISTS"}`},
		{"the last of two members counts", `{"topic":"x","topic":"event","action":"emit","eventName":1,"eventName":"e","\u0065ventName":"f"}`, `{"success":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			got := r.one(tt.command)
			if want := strings.ReplaceAll(tt.slot, "\n", `\n`); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
	r.t = t
	lines, err := c.Fence()
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(lines, "\n"); strings.Count(text, "EVENT EMIT") != 2 || !strings.Contains(text, `{\"a\": [1,2.50]}`) {
		t.Errorf("the subscriber got %s", text)
	}
}

// answerCalls has c accept a call and answer it.
func answerCalls(t *testing.T, c *peer.Client, action, data string) {
	t.Helper()
	lines, err := c.Await("RPC REQUEST")
	if err != nil {
		t.Error(err)
		return
	}
	m, err := peer.Parse(lines[len(lines)-1])
	if err != nil {
		t.Error(err)
		return
	}
	head := fmt.Sprintf("name=%s correlationId=%s", m.Name, m.CorrelationID)
	texts := []string{"RPC ACCEPT " + head}
	if action != "" {
		texts = append(texts, "RPC "+action+" "+head+data)
	}
	if err := c.Send(texts...); err != nil {
		t.Error(err)
	}
}

func TestCallsAnswerWithTheProvidersResult(t *testing.T) {
	r := startRig(t, func(_ *Options, so *session.Options) {
		so.Calls.AckTimeout, so.Calls.ResponseTimeout = peer.Patience, 2*time.Second
	})
	c := r.client("p", "RPC PROVIDE names=[add] correlationId=1")
	for _, tt := range []struct{ action, data, slot string }{
		{"RESPONSE", " data=`{\"sum\":3}`", `{"data":{"sum":3},"success":true}`},
		{"RESPONSE", "", `{"success":true}`},
		{"REQUEST_ERROR", " data=`\"always errors\"`", `{"errorTopic":"rpc","success":false,"error":"always errors"}`},
		{"REQUEST_ERROR", " data=`{\"code\":1}`", `{"errorTopic":"rpc","success":false,"error":{"code":1}}`},
		{"", "", `{"errorTopic":"rpc","errorEvent":104,"success":false,"error":"The RPC response timeout was exceeded by the provider.","errorEventName":"RESPONSE_TIMEOUT"}`},
	} {
		answered := make(chan struct{})
		go func() { // ends with the answer
			defer close(answered)
			answerCalls(t, c, tt.action, tt.data)
		}()
		if got := r.one(`{"topic":"rpc","action":"make","rpcName":"add","data":[1,2]}`); got != tt.slot {
			t.Errorf("\n got %s\nwant %s", got, tt.slot)
		}
		<-answered
	}
}

// One of each kind: some succeed, some fail, the order is the request's.
func TestBatchKeepsTheOrderOfTheRequest(t *testing.T) {
	r := startRig(t, nil)
	status, text := r.post(`{"token":"good","body":[
		{"topic":"record","action":"write","recordName":"r1","data":{"a":1}},
		{"topic":"event","action":"emit","eventName":"deny-e"},
		{"topic":"presence","action":"query"},
		{"topic":"rpc","action":"make","rpcName":"none"}]}`)
	if status != 200 || !strings.HasPrefix(text, `{"result":"PARTIAL_SUCCESS","body":[{"success":true},{"success":false,"error":"Message denied.`) || strings.Count(text, "success") != 4 {
		t.Errorf("%d %s", status, text)
	}
	if _, text := r.post(`{"body":[{"topic":"rpc","action":"make","rpcName":"none"}]}`); !strings.HasPrefix(text, `{"result":"FAILURE"`) {
		t.Error(text)
	}
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf(`{"topic":"record","action":"write","recordName":"big/%d","data":{"n":%d}}`, i%50, i))
	}
	status, text = r.post(`{"body":[` + strings.Join(many, ",") + `]}`)
	if status != 200 || !strings.HasPrefix(text, `{"result":"SUCCESS"`) || strings.Count(text, `{"success":true}`) != 5000 {
		t.Errorf("%d %.300s", status, text)
	}
	if got := r.one(`{"topic":"record","action":"read","recordName":"big/49"}`); got != `{"version":100,"data":{"n":4999},"success":true}` {
		t.Error(got)
	}
}

// What has no answer in time is said to have none; what has one, keeps it.
func TestRequestTimeout(t *testing.T) {
	r := startRig(t, func(o *Options, so *session.Options) {
		o.API.RequestTimeout = 2 * time.Second
		so.Calls.AckTimeout, so.Calls.ResponseTimeout = time.Minute, time.Minute
	})
	r.client("p", "RPC PROVIDE names=[slow] correlationId=1")
	status, text := r.post(`{"body":[{"topic":"rpc","action":"make","rpcName":"slow"},{"topic":"event","action":"emit","eventName":"e"}]}`)
	want := `{"result":"PARTIAL_SUCCESS","body":[{"errorTopic":"connection","errorEvent":"HTTP_REQUEST_TIMEOUT","success":false,` +
		`"error":"Request exceeded timeout before a response was received.","errorEventName":"HTTP_REQUEST_TIMEOUT"},{"success":true}]}` + "\r\n\r\n"
	if status != 200 || text != want {
		t.Errorf("%d\n got %s\nwant %s", status, text, want)
	}
	if s := r.server.Stats(); s.Timeouts != 1 {
		t.Errorf("counted %+v", s)
	}
}

func TestReadAnswersWithETag(t *testing.T) {
	r := startRig(t, nil)
	r.one(`{"topic":"record","action":"write","recordName":"a/b c%","data":{"n": 1}}`)
	res, text := r.do("GET", "/api/record/a/b%20c%25", "")
	tag := res.Header.Get("ETag")
	if res.StatusCode != 200 || text != `{"n": 1}` || !strings.HasPrefix(tag, `"1-`) || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %q %v", res.StatusCode, text, res.Header)
	}
	if res, text := r.do("GET", "/api/record/a%2Fb%20c%25", "", "Authorization", "bearer good", "If-None-Match", `"x", W/`+tag); res.StatusCode != 304 || text != "" || res.Header.Get("ETag") != tag {
		t.Errorf("unchanged: %d %q", res.StatusCode, text)
	}
	if res, text := r.do("HEAD", "/api/record/a%2Fb%20c%25", ""); res.StatusCode != 200 || text != "" || res.ContentLength != int64(len(`{"n": 1}`)) {
		t.Errorf("head: %d %q %d", res.StatusCode, text, res.ContentLength)
	}
	// Deleted and created again, the version is the same and the record another one.
	r.one(`{"topic":"record","action":"delete","recordName":"a/b c%"}`)
	if res, text := r.do("GET", "/api/record/a/b%20c%25", ""); res.StatusCode != 404 || text != "Record read failed. Record \"a/b c%\" could not be found.\r\n\r\n" {
		t.Errorf("deleted: %d %q", res.StatusCode, text)
	}
	r.one(`{"topic":"record","action":"write","recordName":"a/b c%","data":{"n": 2}}`)
	if res, text := r.do("GET", "/api/record/a/b%20c%25", "", "If-None-Match", tag); res.StatusCode != 200 || text != `{"n": 2}` {
		t.Errorf("created again: %d %q", res.StatusCode, text)
	}
	if res, text := r.do("GET", "/api/record/deny-r", ""); res.StatusCode != 403 || text != "Message denied. Action \"READ\" is not permitted.\r\n\r\n" {
		t.Errorf("denied: %d %q", res.StatusCode, text)
	}
	if res, _ := r.do("GET", "/api/record/fail-r", ""); res.StatusCode != 403 {
		t.Errorf("failed: %d", res.StatusCode)
	}
	if res, text := r.do("GET", "/api/record/", ""); res.StatusCode != 400 {
		t.Errorf("no name: %d %q", res.StatusCode, text)
	}
}

func TestInflatedBodies(t *testing.T) {
	r := startRig(t, func(o *Options, _ *session.Options) { o.BodyBytesMax = 4 << 10 })
	deflate := map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	}
	for coding, writer := range deflate {
		pack := func(text string) string {
			var b bytes.Buffer
			w := writer(&b)
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		if res, text := r.do("POST", "/api", pack(`{"body":[{"topic":"event","action":"emit","eventName":"e"}]}`), "Content-Encoding", coding); res.StatusCode != 200 {
			t.Errorf("%s: %d %q", coding, res.StatusCode, text)
		}
		bomb := pack(`{"body":"` + strings.Repeat("a", 10<<20) + `"}`)
		if res, text := r.do("POST", "/api", bomb, "Content-Encoding", coding); res.StatusCode != 400 || text != "Failed to parse body of request: request entity too large\r\n\r\n" {
			t.Errorf("%s bomb of %d bytes: %d %q", coding, len(bomb), res.StatusCode, text)
		}
	}
}

func TestBoundsOfARequest(t *testing.T) {
	body := func(n int) string {
		return `{"body":[` + strings.Repeat(`{"topic":"event","action":"emit","eventName":"e"},`, n-1) + `{"topic":"event","action":"emit","eventName":"e"}]}`
	}
	t.Run("commands", func(t *testing.T) {
		r := startRig(t, func(o *Options, _ *session.Options) { o.API.CommandsMax = 3 })
		if status, _ := r.post(body(3)); status != 200 {
			t.Errorf("three: %d", status)
		}
		if status, text := r.post(body(4)); status != 400 || text != "Invalid message: the \"body\" parameter must not have more than 3 commands.\r\n\r\n" {
			t.Errorf("four: %d %q", status, text)
		}
	})
	t.Run("memory", func(t *testing.T) {
		r := startRig(t, func(o *Options, _ *session.Options) { o.MemoryBytesMax = 64 << 10 })
		if status, _ := r.post(body(10)); status != 200 {
			t.Errorf("ten commands: %d", status)
		}
		if status, text := r.post(body(100)); status != 503 || text != "The server is busy.\r\n\r\n" {
			t.Errorf("a hundred commands: %d %q", status, text)
		}
		if status, _ := r.post(strings.Repeat(" ", 100<<10) + body(1)); status != 503 {
			t.Errorf("100 KiB: %d", status)
		}
		if s := r.server.Stats(); s.Refused[RefusedMemory] != 2 {
			t.Errorf("counted %+v", s)
		}
	})
	t.Run("answers", func(t *testing.T) {
		r := startRig(t, func(o *Options, _ *session.Options) { o.AnswerBytesMax = 300 << 10 })
		r.one(`{"topic":"record","action":"write","recordName":"r","data":["` + strings.Repeat("x", 100<<10) + `"]}`)
		read := `{"topic":"record","action":"read","recordName":"r"}`
		_, text := r.post(`{"body":[` + strings.Repeat(read+",", 99) + read + `]}`)
		if !strings.HasPrefix(text, `{"result":"PARTIAL_SUCCESS"`) || len(text) > 320<<10 || strings.Count(text, `"ANSWER_TOO_LARGE","success":false`) != 98 {
			t.Errorf("%d bytes, %d too large", len(text), strings.Count(text, `"ANSWER_TOO_LARGE"`))
		}
	})
	t.Run("requests", func(t *testing.T) {
		r := startRig(t, func(o *Options, so *session.Options) {
			o.RequestsMax, so.Calls.AckTimeout, so.Calls.ResponseTimeout = 1, time.Minute, time.Minute
		})
		c := r.client("p", "RPC PROVIDE names=[slow] correlationId=1")
		done := make(chan string)
		go func() { done <- r.one(`{"topic":"rpc","action":"make","rpcName":"slow"}`) }()
		lines, err := c.Await("RPC REQUEST")
		if err != nil {
			t.Fatal(err)
		}
		if res, text := r.do("POST", "/api", body(1)); res.StatusCode != 503 || text != "The server is busy.\r\n\r\n" || res.Header.Get("Retry-After") == "" {
			t.Errorf("a second request: %d %q", res.StatusCode, text)
		}
		m, _ := peer.Parse(lines[len(lines)-1])
		if err := c.Send(fmt.Sprintf("RPC RESPONSE name=slow correlationId=%s data=`1`", m.CorrelationID)); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got != `{"data":1,"success":true}` {
			t.Error(got)
		}
	})
	t.Run("readiness", func(t *testing.T) {
		r := startRig(t, func(o *Options, _ *session.Options) { o.Ready = func() bool { return false } })
		if status, text := r.post(body(1)); status != 503 || text != "The server is not ready.\r\n\r\n" {
			t.Errorf("%d %q", status, text)
		}
	})
}

// A slow body ends, and holds nothing.
func TestSlowBodiesEnd(t *testing.T) {
	r := startRig(t, func(o *Options, _ *session.Options) { o.BodyTimeout = 200 * time.Millisecond })
	in, out := io.Pipe()
	defer out.Close()
	go func() { _, _ = out.Write([]byte(`{"body":`)) }() // ends with the pipe
	req, err := http.NewRequest("POST", r.url+"/api", in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 400 || string(b) != "Failed to parse body of request: request took too long\r\n\r\n" {
		t.Errorf("%d %q", res.StatusCode, b)
	}
}

// Others may be served on paths of their own, with the same origins.
func TestMountsHaveTheSameOrigins(t *testing.T) {
	r := startRig(t, func(o *Options, _ *session.Options) {
		o.API = nil
		o.Mounts = []Mount{{Path: "/stats", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/stats" {
				w.WriteHeader(http.StatusTeapot)
				return
			}
			_, _ = w.Write([]byte("here"))
		})}}
	})
	if res, text := r.do("GET", "/stats?x=y", ""); res.StatusCode != 200 || text != "here" || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %q %v", res.StatusCode, text, res.Header)
	}
	for _, path := range []string{"/stats/more", "/statsx", "/api"} {
		res, _ := r.do("GET", path, "")
		if want := map[string]int{"/stats/more": 418}[path]; want != 0 && res.StatusCode != want || want == 0 && res.StatusCode != 404 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if res, _ := r.do("POST", "/api", "{}"); res.StatusCode != 404 {
		t.Errorf("without an API: %d", res.StatusCode)
	}
	if s := r.server.Stats(); s.Classes[2] != 1 || s.Classes[4] != 4 {
		t.Errorf("counted %+v", s)
	}
}

// Answers that a whole node gives rarely.
func TestRareSlots(t *testing.T) {
	read := protocol.Message{Topic: protocol.TopicRecord, Action: protocol.RecordRead, Name: []byte("r")}
	for want, a := range map[string]protocol.Message{
		`{"errorTopic":"record","errorEvent":103,"success":false,"error":"An error occurred: RECORD_LOAD_ERROR.","errorParams":"r","errorEventName":"RECORD_LOAD_ERROR"}`:                                     {Topic: protocol.TopicRecord, Action: protocol.RecordLoadError},
		`{"errorTopic":"record","errorEvent":1,"success":false,"error":"An error occurred: UNKNOWN_TOPIC.","errorParams":"r","errorEventName":"UNKNOWN_TOPIC"}`:                                               {Topic: protocol.TopicParser, Action: protocol.ParserUnknownTopic},
		`{"errorTopic":"connection","errorEvent":"SERVER_OVERLOADED","success":false,"error":"The server is overloaded. The command may or may not have taken effect.","errorEventName":"SERVER_OVERLOADED"}`: {Topic: protocol.TopicConnection, Action: protocol.ConnectionError},
		`{"errorTopic":"record","errorEvent":115,"success":false,"error":"Message denied. Action \"READ\" is not permitted.","action":3,"errorEventName":"MESSAGE_DENIED"}`:                                   {Topic: protocol.TopicRecord, Action: protocol.RecordMessageDenied, IsError: true},
		`{"errorTopic":"record","errorEvent":102,"success":false,"error":"Record update failed. Version 1 exists for record \"r\".","currentVersion":1,"currentData":null,"errorEventName":"VERSION_EXISTS"}`: {Topic: protocol.TopicRecord, Action: protocol.RecordVersionExists, Name: []byte("r"), Version: 1},
	} {
		if got := appendSlot([]byte("x"), &read, &a); string(got) != "x"+want {
			t.Errorf("\n got %s\nwant x%s", got, want)
		}
	}
}

func TestRefusalsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Refusals {
		seen[r.String()] = true
	}
	if len(seen) != int(Refusals) || seen[""] || Refusals.String() != "unknown" {
		t.Errorf("names %v", seen)
	}
}

// An upgrade on a connection that has left the reactor ends it, so that the client tries on another.
func TestUpgradesNeedAnotherConnection(t *testing.T) {
	r := startRig(t, nil)
	conn, err := net.Dial("tcp", r.eng.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(peer.Patience))
	in := bufio.NewReader(conn)
	fmt.Fprint(conn, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 404 {
		t.Fatal(res, err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /deepstream HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		t.Errorf("answered %q", rest)
	}
	if s := r.server.Stats(); s.Refused[RefusedUpgrade] != 1 {
		t.Errorf("counted %+v", s)
	}
}
