package server

import (
	"deepstream-fast/codec/ws"
	"deepstream-fast/config"
	"deepstream-fast/engine"
	"deepstream-fast/httpapi"
)

// front answers what is decided by an HTTP request head alone.
type front struct {
	// Set before the engine starts, then constant.
	cfg     *config.HTTPServerOptions
	path    string
	origins httpapi.Origins
	api     bool // what is not answered here goes to the HTTP API
	kept    bool // somebody keeps the listener: a newcomer is not refused but sent to the next server

	ready readiness // safe for concurrent use
}

func newFront(cfg *config.Config, path string) *front {
	h := &cfg.HTTPServer.Options
	return &front{
		cfg: h, path: path,
		origins: httpapi.Origins{AllowAll: h.AllowAllOrigins, Allowed: h.Origins, Host: h.HostURL},
	}
}

// upgrade judges a WebSocket request: 0 lets it in.
func (f *front) upgrade(h *ws.Head) int {
	switch {
	case string(h.Path) != f.path:
		return 404
	case !f.ready.Load() && !f.kept:
		return 503 // counts as a failed attempt with the client, so that it backs off
	case !f.origins.AllowsHost(string(h.Host)):
		return 403
	case f.cfg.CheckWebSocketOrigin && h.Origin != nil && !f.origins.Allows(string(h.Origin)): // nil: not a browser
		return 403
	}
	return 0
}

// answer answers a request that is not for a WebSocket, or leaves it to the HTTP API.
func (f *front) answer(h *ws.Head) engine.Response {
	switch healthy := f.ready.Load(); {
	case string(h.Path) == f.cfg.HealthCheckPath && (string(h.Method) == "GET" || string(h.Method) == "HEAD"):
		if !healthy {
			return f.respond(h, 503, "draining\n")
		}
		return f.respond(h, 200, "")
	case string(h.Path) == f.path:
		return f.respond(h, 426, "this path speaks WebSocket\n")
	case f.api && healthy:
		return engine.Response{}
	case f.api:
		return f.respond(h, 503, "The server is not ready.\r\n\r\n")
	}
	return f.respond(h, 404, "not found\n")
}

// respond returns a response with the header fields that every one has, or a refusal if the request comes
// from the wrong place. A text without content is of the type the health check always had.
func (f *front) respond(h *ws.Head, status int, text string) engine.Response {
	allow, problem := f.origins.Check(string(h.Origin), string(h.Field("referer")), string(h.Host))
	if problem != "" {
		return engine.Response{Status: 403, Type: textType, Body: problem + "\r\n\r\n"}
	}
	r := engine.Response{Status: status, Type: textType, Body: text, Fields: "Access-Control-Allow-Origin: *\r\n"}
	if text == "" {
		r.Type = "application/json"
	}
	if allow != "*" {
		r.Fields = "Access-Control-Allow-Origin: " + allow + "\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n"
	}
	return r
}

const textType = "text/plain; charset=utf-8"
