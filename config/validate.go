package config

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Validate checks c as Load does: bounds, what this build can honour, and options that contradict
// each other. It serves configurations changed or made by a program, such as by command-line flags.
// It replaces c.Warnings and returns Errors, without positions.
func (c *Config) Validate() error {
	k := checker{report: newReport()}
	k.config(c)
	warnings, err := k.report.finish()
	c.Warnings = warnings
	return err
}

// checker reports problems by key path, at the place at knows for it.
type checker struct {
	report *report
	at     map[string]*node
	broken map[string]bool // paths decode has reported already
}

// config runs every check.
func (k *checker) config(c *Config) {
	k.section(reflect.ValueOf(c).Elem(), "")
	if c.LogLevel == LevelInherit {
		k.problem("logLevel", "logLevel = \"INHERIT\": the root has nothing to inherit from")
	}
	k.origins(&c.HTTPServer.Options)
	k.paths(c)
	k.endpoints(c.ConnectionEndpoints)
	k.auth(c)
	k.listen(c)
	k.cluster(&c.ClusterRegistry.Options)
	if c.Permission.Type == "none" && c.Permission.Options.Permissions.Value != nil {
		k.warn("permission.options.permissions", "permission.options.permissions has no effect with permission.type = \"none\": everything is allowed")
	}
	for i, m := range c.Monitoring {
		if m.Type == "http" {
			k.path(fmt.Sprintf("monitoring[%d].options.url", i), m.HTTP.URL)
		}
		if h := m.HTTP; m.Type == "http" && !h.AllowOpenPermissions && (h.HeaderKey == "" || h.HeaderValue == "") {
			path := fmt.Sprintf("monitoring[%d].options", i)
			k.problem(path, path+": set headerKey and headerValue, or allowOpenPermissions = true")
		}
	}
}

// section checks the values of v against their tags.
func (k *checker) section(v reflect.Value, path string) {
	variant := ""
	if f, ok := typeField(v.Type()); ok {
		variant = v.FieldByIndex(f.Index).String()
	}
	for _, f := range fieldsOf(v.Type()) {
		if f.applies(variant) && f.ignored() == "" {
			k.value(v.FieldByIndex(f.Index), f, join(path, f.key))
		}
	}
}

func (k *checker) value(v reflect.Value, f field, path string) {
	switch {
	case isSection(f.Type):
		if slices.Contains(f.unavailable(), "*") && !v.IsZero() {
			k.problem(path, path+" is not available in this build")
		}
		k.section(v, path)
	case f.Type.Kind() == reflect.Slice:
		for i := range v.Len() {
			here := fmt.Sprintf("%s[%d]", path, i)
			if isSection(f.Type.Elem()) {
				k.section(v.Index(i), here)
			} else {
				k.bounds(v.Index(i), f, here)
			}
		}
	case f.Type.Kind() == reflect.Map:
		for _, name := range slices.Sorted(maps.Keys(v.Interface().(Plugins))) {
			k.problem(path, join(path, name)+" is not available in this build")
		}
	default:
		k.bounds(v, f, path)
		k.choice(v, f, path)
	}
}

// bounds checks v against the range tag.
func (k *checker) bounds(v reflect.Value, f field, path string) {
	low, high, ok := f.bounds()
	if !ok || !v.CanInt() || f.off() && v.Int() == int64(Off) && k.switchedOff(path) {
		return
	}
	if i := v.Int(); i < low || i > high {
		k.problem(path, fmt.Sprintf("%s = %s: expected %s", path, k.shown(path, f.unit(i)), f.expected()))
	}
}

// switchedOff reports whether the zero at path was written as false or null, or by a program. An
// integer 0 is more likely a mistake than a wish for no limit.
func (k *checker) switchedOff(path string) bool {
	n := k.at[path]
	return n == nil || n.kind == kindBool || n.kind == kindNull
}

// choice checks v against the oneof and unavailable tags.
func (k *checker) choice(v reflect.Value, f field, path string) {
	value := fmt.Sprint(v.Interface())
	switch oneof := f.oneof(); {
	case len(oneof) > 0 && !slices.Contains(oneof, value):
		k.problem(path, fmt.Sprintf("%s = %s: expected %s%s", path, quote(value), f.expected(), meant(path, value, oneof)))
	case !slices.Contains(f.unavailable(), value):
	case len(oneof) > 0:
		k.problem(path, fmt.Sprintf("%s = %s is not available in this build; available: %s", path, quote(value), quoteAll(f.available())))
	default:
		k.problem(path, fmt.Sprintf("%s = %s is not available in this build", path, value))
	}
}

// origins checks who may ask over HTTP.
func (k *checker) origins(o *HTTPServerOptions) {
	const path = "httpServer.options."
	if !o.AllowAllOrigins && len(o.Origins) == 0 {
		k.problem(path+"allowAllOrigins", path+"allowAllOrigins = false: nobody could connect, since httpServer.options.origins is empty")
	}
	for i, origin := range o.Origins {
		here := fmt.Sprintf("%sorigins[%d]", path, i)
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			k.problem(here, fmt.Sprintf("%s = %s: expected scheme, host and perhaps port without a path, such as \"https://app.example.com\"; for every origin write allowAllOrigins = true", here, quote(origin)))
		}
	}
}

// paths checks every URL path the HTTP server routes.
func (k *checker) paths(c *Config) {
	k.path("httpServer.options.healthCheckPath", c.HTTPServer.Options.HealthCheckPath)
	for i, e := range c.ConnectionEndpoints {
		options := fmt.Sprintf("connectionEndpoints[%d].options.", i)
		switch {
		case strings.HasPrefix(e.Type, "ws-"):
			path := e.WebSocket.URLPath
			if k.path(options+"urlPath", path) && strings.Contains(path[1:], "/") {
				k.warn(options+"urlPath", fmt.Sprintf("%surlPath = %s has more than one segment: the JavaScript client drops all slashes but the first and will not find it", options, quote(path)))
			}
		case e.Type == "http":
			k.path(options+"authPath", e.HTTP.AuthPath)
			k.path(options+"postPath", e.HTTP.PostPath)
			k.path(options+"getPath", e.HTTP.GetPath)
		}
	}
}

// path reports whether value is a path one can route.
func (k *checker) path(at, value string) bool {
	ok := strings.HasPrefix(value, "/") && !strings.ContainsAny(value, "?# \t\r\n")
	if !ok {
		k.problem(at, fmt.Sprintf("%s = %s: expected a path that starts with \"/\", without query or spaces", at, quote(value)))
	}
	return ok
}

// endpoints checks that the ways in exist, differ and agree with themselves.
func (k *checker) endpoints(endpoints []Endpoint) {
	if len(endpoints) == 0 {
		k.problem("connectionEndpoints", "connectionEndpoints is empty: nobody could connect; remove the key for the default endpoints")
	}
	types, urls := map[string]string{}, map[string]string{}
	for i, e := range endpoints {
		path := fmt.Sprintf("connectionEndpoints[%d]", i)
		if first := types[e.Type]; first != "" && e.Type != "" {
			k.problem(path+".type", fmt.Sprintf("%s.type = %s: %s has that type already; one entry per type", path, quote(e.Type), first))
			continue
		}
		types[e.Type] = path
		if strings.HasPrefix(e.Type, "ws-") {
			k.webSocket(&e.WebSocket, path+".options.", urls)
		}
	}
}

func (k *checker) webSocket(o *WebSocket, options string, urls map[string]string) {
	if first := urls[o.URLPath]; first != "" && strings.HasPrefix(o.URLPath, "/") {
		k.problem(options+"urlPath", fmt.Sprintf("%surlPath = %s is taken by %s", options, quote(o.URLPath), first))
	}
	urls[o.URLPath] = options + "urlPath"
	if o.MaxBulkMessageSize < o.MaxMessageSize {
		k.problem(options+"maxBulkMessageSize", fmt.Sprintf("%smaxBulkMessageSize = %s: expected at least maxMessageSize, which is %s", options, o.MaxBulkMessageSize, o.MaxMessageSize))
	}
	if d := o.HeartbeatInterval; d > 0 && d < Duration(time.Second) {
		k.warn(options+"heartbeatInterval", fmt.Sprintf("%sheartbeatInterval = %s is short: clients with their own default of 30s will be disconnected (an integer is in milliseconds)", options, d))
	}
}

func (k *checker) listen(c *Config) {
	if c.Listen.RematchInterval <= Duration(time.Second) {
		k.warn("listen.rematchInterval", fmt.Sprintf("listen.rematchInterval = %s switches rematching off; more than 1s switches it on", c.Listen.RematchInterval))
	}
}

func (k *checker) cluster(o *ClusterRegistryOptions) {
	if o.NodeInactiveTimeout <= o.KeepAliveInterval {
		k.problem("clusterRegistry.options.nodeInactiveTimeout", fmt.Sprintf("clusterRegistry.options.nodeInactiveTimeout = %s: expected more than keepAliveInterval, which is %s", o.NodeInactiveTimeout, o.KeepAliveInterval))
	}
}

// problem reports message at path, or at the nearest section around it that was written.
func (k *checker) problem(path, message string) {
	if p, ok := k.locate(path, message); ok {
		k.report.add(p)
	}
}

// warn is problem for what is accepted.
func (k *checker) warn(path, message string) {
	if p, ok := k.locate(path, message); ok {
		k.report.warn(p)
	}
}

// locate returns the problem with its place, false if it is not wanted: the value at path or around
// it is wrong in itself, or enough was collected.
func (k *checker) locate(path, message string) (Problem, bool) {
	p, placed := Problem{Key: path, Message: message}, false
	for at := path; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if k.broken[at] {
			return p, false
		}
		if n := k.at[at]; n != nil && !placed && !k.report.full() {
			p, placed = n.src.problem(n.pos, path, message), true
		}
	}
	return p, !k.report.full()
}

// shown returns the value at path as written, else as given.
func (k *checker) shown(path, value string) string {
	if n := k.at[path]; n != nil {
		return n.describe()
	}
	return value
}
