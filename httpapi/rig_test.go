package httpapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/permission"
	"deepstream-fast/rpc"
	"deepstream-fast/session"
)

// transport inflates nothing and follows nothing.
var transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}

// rig is a Server over a whole node.
type rig struct {
	t      *testing.T
	server *Server
	eng    *engine.Engine
	url    string
}

// prefixRules is a Checker whose rules are in the names: those that begin with deny are denied, with fail
// can't be judged. The user "nobody" is denied whatever has no name.
type prefixRules struct{}

func (prefixRules) Check(q *permission.Question) permission.Answer {
	switch name := string(q.Name); {
	case strings.HasPrefix(name, "deny"), q.Name == nil && q.User.ID == "nobody":
		return permission.Deny
	case strings.HasPrefix(name, "fail"):
		return permission.Failed
	}
	return permission.Allow
}

func startRig(t testing.TB, change func(*Options, *session.Options)) *rig {
	t.Helper()
	o := Options{
		Auth: scripted{}, Origins: Origins{AllowAll: true},
		API: &API{AuthPath: "/api/auth", PostPath: "/api", GetPath: "/api", AllowAuthData: true, RequestTimeout: 10 * time.Second},
	}
	so := session.Options{
		Loops: 2, Events: true, RPC: true, Presence: true, Records: true, UnauthenticatedTimeout: -1,
		Permission: prefixRules{}, Calls: rpc.Options{AckTimeout: 200 * time.Millisecond, ResponseTimeout: 400 * time.Millisecond},
	}
	if change != nil {
		change(&o, &so)
	}
	node := session.NewNode(so)
	o.Node = node
	r := &rig{server: New(o)}
	eng, err := engine.Start(engine.Options{
		Host: "127.0.0.1", Loops: so.Loops, Bulk: codec.IsBulk, NewHandler: node.NewHandler, WantsTurn: node.WantsTurn,
		Handoff: r.server.Take, HTTP: func(*ws.Head) engine.Response { return engine.Response{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.eng, r.url = eng, "http://"+eng.Addr().String()
	if tt, ok := t.(*testing.T); ok {
		r.t = tt
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), peer.Patience)
		defer cancel()
		transport.CloseIdleConnections()
		if err := r.server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := eng.Stop(ctx); err != nil {
			t.Error(err)
		}
		if s := r.server.Stats(); s.Memory != 0 || s.Running != 0 || s.InFlight != 0 || s.Panics != 0 {
			t.Errorf("left behind: %+v", s)
		}
		if s := node.Stats(); s.Requests != 0 {
			t.Errorf("%d requests left with the node", s.Requests)
		}
	})
	return r
}

// client connects a WebSocket client, which sends the texts one by one.
func (r *rig) client(user string, texts ...string) *peer.Client {
	r.t.Helper()
	c, err := peer.Dial(r.eng.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Abort)
	for _, text := range append([]string{"CONNECTION CHALLENGE url=ws://test", "AUTH REQUEST data=`{\"username\":\"" + user + "\"}`"}, texts...) {
		if err := c.Send(text); err != nil {
			r.t.Fatal(err)
		}
		if _, err := c.Fence(); err != nil {
			r.t.Fatal(err)
		}
	}
	return c
}

// scripted lets in who has no credentials, a token "good…" or a name, and answers never to "slow".
type scripted struct{}

func (scripted) Authenticate(r *auth.Request, done func(auth.Result)) {
	data := string(r.Data)
	switch {
	case data == "{}":
		done(auth.Result{Valid: true, ID: "open"})
	case strings.Contains(data, `"token":"good`):
		done(auth.Result{Valid: true, ID: "by-token", ClientData: []byte(`{"a":1}`)})
	case strings.Contains(data, `"username":"token"`):
		done(auth.Result{Valid: true, ID: "t", Token: []byte(`"T"`), ClientData: []byte(`{"a":1}`)})
	case strings.Contains(data, `"username":"header"`):
		done(auth.Result{Valid: r.Header("x-secret") == "s" && r.Header("host") != ""})
	case strings.Contains(data, `"username":"slow"`):
	case strings.Contains(data, `"username"`):
		done(auth.Result{Valid: true, ID: "user"})
	default:
		done(auth.Result{})
	}
}

// do sends a request and returns the answer.
func (r *rig) do(method, path, body string, fields ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			req.Host = fields[i+1]
		}
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(b)
}

// post sends commands.
func (r *rig) post(body string) (int, string) {
	r.t.Helper()
	res, text := r.do("POST", "/api", body)
	return res.StatusCode, text
}

// one sends one command and returns its slot.
func (r *rig) one(command string) string {
	r.t.Helper()
	status, text := r.post(`{"body":[` + command + `]}`)
	text, ok := strings.CutSuffix(text, "]}\r\n\r\n")
	if status != 200 || !ok {
		r.t.Fatalf("%s answered %d %q", command, status, text)
	}
	_, slot, _ := strings.Cut(text, `"body":[`)
	return slot
}
