package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// rewrite makes of the old file's tree one that our schema describes.
func (c *converter) rewrite(root *node) {
	c.hashes(root)
	c.macros(root)
	c.rename(root, "dependencyInitialisationTimeout", "dependencyInitializationTimeout")
	c.toList(root, "auth")
	c.toList(root, "monitoring")
	c.logger(root)
	c.httpServer(root)
	c.storage(root)
	c.cluster(root)
	c.plugins(root)
	c.documents(root)
	c.endpoints(root)
	c.section(root, reflect.TypeFor[Config](), "")
	if len(c.variables) > 0 {
		c.dropped[root] = append(c.dropped[root], "a variable that is not set is an error here; the official server puts in an empty text")
	}
}

// hashes notes texts that the official server would have cut.
func (c *converter) hashes(n *node) {
	if n.kind == kindString && strings.Contains(n.text, "#") {
		c.note(n, "", "the official server takes # for the begin of a comment, even in quotes; here the whole text counts")
	}
	for _, item := range n.items {
		c.hashes(item)
	}
	for _, e := range n.entries {
		c.hashes(e.value)
	}
}

// macros spells macros as we do.
func (c *converter) macros(n *node) {
	if n.kind == kindString {
		if m := macroCall.FindStringSubmatch(n.text); m != nil {
			n.text = c.macroText(m[1], m[2])
		} else if strings.Contains(n.text, "fileLoad(") {
			c.note(n, "", "fileLoad() is only looked for in a value that consists of it")
		}
	}
	for _, item := range n.items {
		c.macros(item)
	}
	for _, e := range n.entries {
		c.macros(e.value)
	}
}

func (c *converter) rename(n *node, old, now string) {
	if value := n.get(old); value != nil {
		c.note(value, old, old+" is called "+now+" now")
		n.remove(old)
		n.set(now, value)
	}
}

// toList makes a list of a lone section.
func (c *converter) toList(root *node, key string) {
	if n := root.get(key); n != nil && n.kind == kindTable {
		root.set(key, n.list(n))
	}
}

// is reports whether the text under key is value.
func (n *node) is(key, value string) bool {
	v := n.get(key)
	return v != nil && v.kind == kindString && strings.EqualFold(v.text, value)
}

func (c *converter) logger(root *node) {
	n := root.get("logger")
	if n == nil || !n.is("name", "pino") {
		return
	}
	now := n.table()
	now.set("type", n.with("json"))
	root.set("logger", now)
	c.note(n, "logger", "logger.name = \"pino\" becomes type = \"json\", which logs the same members to stdout; its own options and transports are left out")
}

func (c *converter) httpServer(root *node) {
	n := root.get("httpServer")
	if n == nil || !n.is("type", "uws") {
		return
	}
	c.note(n.get("type"), "httpServer.type", "httpServer.type = \"uws\" becomes \"default\", which needs no native library")
	n.set("type", n.with("default"))
	options := n.get("options")
	if options == nil {
		return
	}
	ssl := options.get("ssl")
	if ssl == nil {
		return
	}
	for _, key := range []string{"key", "cert", "dhParams"} { // names of files there, contents here
		v := ssl.get(key)
		if v == nil || v.kind != kindString {
			continue
		}
		if m := macroCall.FindStringSubmatch(v.text); m == nil {
			v.text = c.macroText("fileLoad", v.text)
		} else {
			v.text = "fileLoad(" + m[2] + ")" // the path is adapted already
		}
	}
}

// storage keeps the meaning: what the official server calls default keeps nothing, ours does.
func (c *converter) storage(root *node) {
	n := root.get("storage")
	if n != nil && (n.get("name") != nil || n.get("path") != nil) {
		return // a driver: check says which there are
	}
	at := root
	if n != nil {
		at = n
		c.note(n, "storage", "storage of the official server keeps nothing unless a plugin is named: type = \"none\"; with \"default\" records survive a restart here")
	}
	now := at.table()
	now.set("type", at.with("none"))
	c.dropped[now] = []string{"as before, records are lost with the process; \"default\" keeps them in a folder"}
	root.set("storage", now)
}

func (c *converter) cluster(root *node) {
	if n := root.get("clusterNode"); n != nil && n.is("name", "vertical") {
		c.drop(root, "clusterNode", "clusterNode", "one process uses all cores already")
	}
}

func (c *converter) plugins(root *node) {
	n := root.get("plugins")
	if n == nil || n.kind != kindTable {
		return
	}
	for _, e := range slices.Clone(n.entries) {
		if e.key == "heap-snapshot" || e.value.is("name", "heap-snapshot") {
			c.drop(n, e.key, join("plugins", e.key), "it looks into the memory of another language")
		}
	}
}

// documents spells permissions and users that are named by a path as fileLoad, and drops hash: false.
func (c *converter) documents(root *node) {
	c.loadByPath(root.get("permission"), "permissions")
	auth := root.get("auth")
	if auth == nil {
		return
	}
	for _, handler := range auth.items {
		c.loadByPath(handler, "users")
		if options := handler.get("options"); options != nil {
			if hash := options.get("hash"); hash != nil && hash.kind == kindBool && hash.text == "false" {
				options.remove("hash") // the same as none
			}
		}
	}
}

func (c *converter) loadByPath(n *node, key string) {
	if n == nil || n.get("options") == nil {
		return
	}
	options := n.get("options")
	path := options.get("path")
	if path == nil || path.kind != kindString || options.get(key) != nil {
		return
	}
	text := c.macroText("fileLoad", path.text)
	if m := macroCall.FindStringSubmatch(path.text); m != nil {
		text = "fileLoad(" + m[2] + ")" // the path is adapted already
	}
	options.remove("path")
	options.set(key, path.with(text))
	c.note(path, "", "path is written as "+key+" = \""+text+"\" now")
}

// endpoints writes the default list out, which is longer there, and leaves out what nobody can serve.
func (c *converter) endpoints(root *node) {
	n := root.get("connectionEndpoints")
	if n == nil || n.kind == kindNull {
		n = root.list(root.table(), root.table())
		n.items[0].set("type", root.with("ws-binary"))
		n.items[1].set("type", root.with("http"))
		c.comments[n] = []string{
			"The official server has these by default, and also ws-text, ws-json and, on port 1883, mqtt.",
			"Whoever needs one of them has to name it.",
		}
		root.set("connectionEndpoints", n)
		return
	}
	typ, _ := typeField(reflect.TypeFor[Endpoint]())
	n.items = slices.DeleteFunc(n.items, func(item *node) bool {
		v := item.get("type")
		if v == nil || !slices.Contains(typ.unavailable(), v.text) {
			return false
		}
		p := v.src.problem(v.pos, "connectionEndpoints", fmt.Sprintf("connectionEndpoints: the one of type %s is left out: this build does not serve it", quote(v.text)))
		c.notes = append(c.notes, p)
		c.comments[n] = append(c.comments[n], fmt.Sprintf("left out: the endpoint of type %s (line %d): this build does not serve it", quote(v.text), p.Line))
		return true
	})
}

// section leaves out what our schema does not know or has no meaning for.
func (c *converter) section(n *node, t reflect.Type, path string) {
	if n.kind != kindTable || n.get("name") != nil || n.get("path") != nil {
		return // check says what is wrong
	}
	variant := c.variant(n, t)
	for _, e := range slices.Clone(n.entries) {
		here := join(path, e.key)
		f, ok := fieldOf(t, variant, e.key)
		switch {
		case !ok:
			c.drop(n, e.key, here, "this server has no such key"+misplaced(path, e.key, nil))
		case f.ignored() != "":
			c.drop(n, e.key, here, f.ignored())
		case f.Type == reflect.TypeFor[bool]() && slices.Contains(f.unavailable(), e.value.text):
			c.drop(n, e.key, here, "it did nothing, and this build does not bring it")
		case e.value.kind == kindNull:
			c.null(n, e, f)
		case isSection(f.Type):
			c.section(e.value, f.Type, here)
		case f.Type.Kind() == reflect.Slice && isSection(f.Type.Elem()):
			c.sections(n, e, f, here)
		}
	}
}

// null is false to a duration that can be switched off, and nothing to all others.
func (c *converter) null(n *node, e entry, f field) {
	if f.off() {
		e.value.kind, e.value.text = kindBool, "false"
		return
	}
	n.remove(e.key)
}

// sections is section for each of a list. A monitor that this build does not bring is left out: nothing
// depends on it.
func (c *converter) sections(n *node, e entry, f field, path string) {
	typ, _ := typeField(f.Type.Elem())
	if f.key == "monitoring" {
		kept := slices.DeleteFunc(slices.Clone(e.value.items), func(item *node) bool {
			v := item.get("type")
			return v != nil && slices.Contains(typ.unavailable(), v.text)
		})
		if len(kept) < len(e.value.items) && len(kept) == 0 {
			c.drop(n, e.key, path, "this build brings no such monitor")
			return
		}
		e.value.items = kept
	}
	for i, item := range e.value.items {
		c.section(item, f.Type.Elem(), fmt.Sprintf("%s[%d]", path, i))
	}
}

// variant returns the type of section n, the default one if it does not say, "" if it has none.
func (c *converter) variant(n *node, t reflect.Type) string {
	f, typed := typeField(t)
	if !typed {
		return ""
	}
	if v := n.get("type"); v != nil {
		return v.text
	}
	return f.defaultText("")
}

// fieldOf returns the field of a section for key.
func fieldOf(t reflect.Type, variant, key string) (field, bool) {
	for _, f := range fieldsOf(t) {
		if f.key == key && f.applies(variant) {
			return f, true
		}
	}
	return field{}, false
}
