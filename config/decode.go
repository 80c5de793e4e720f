package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// decoder fills a Config from a document, and remembers where each value was written. A value of the
// wrong type is reported and leaves the default, so that validate finds nothing more to say about it.
type decoder struct {
	report *report
	at     map[string]*node // by full path
	broken map[string]bool  // paths reported here: validate keeps quiet about them
}

// section fills v, which has its defaults, from n.
func (d *decoder) section(n *node, v reflect.Value, path string) {
	if n.kind == kindNull { // a YAML section whose lines are all comments
		return
	}
	if n.kind != kindTable {
		d.wrong(n, path, "a section")
		return
	}
	variant, ok := d.variant(n, v, path)
	if !ok {
		return
	}
	d.entries(n, v, path, variant)
}

// entries fills the keys of v, whose type is known to be variant if it has one.
func (d *decoder) entries(n *node, v reflect.Value, path, variant string) {
	fields := slices.DeleteFunc(fieldsOf(v.Type()), func(f field) bool { return !f.applies(variant) })
	for _, e := range n.entries {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key })
		if i < 0 {
			d.unknown(n, e, path, fields)
			continue
		}
		here := join(path, e.key)
		d.at[here] = e.value
		d.value(e.value, v.FieldByIndex(fields[i].Index), fields[i], here)
	}
	for _, f := range fields {
		if f.required() && n.get(f.key) == nil {
			d.problem(n, join(path, f.key), fmt.Sprintf("%skey %q is missing: expected %s", prefix(path), f.key, f.expected()))
		}
	}
}

// variant returns the type of section n and gives v the defaults of that type. It reports false if
// the type is unknown and the keys depend on it, since nothing else of the section can be judged then.
func (d *decoder) variant(n *node, v reflect.Value, path string) (string, bool) {
	f, typed := typeField(v.Type())
	if !typed {
		return "", true
	}
	for _, key := range []string{"path", "name"} {
		if driver := n.get(key); driver != nil {
			d.driver(driver, f, path, key)
			return "", false
		}
	}
	chosen := n.get("type")
	current := v.FieldByIndex(f.Index).String()
	switch {
	case chosen == nil && current == "":
		d.problem(n, path, fmt.Sprintf("%skey \"type\" is missing: expected %s", prefix(path), f.expected()))
		return "", false
	case chosen == nil:
		return current, true
	case chosen.kind != kindString || !slices.Contains(f.oneof(), chosen.text):
		d.wrong(chosen, join(path, "type"), f.expected()+meant(path, chosen.text, f.oneof()))
		uniform := !slices.ContainsFunc(fieldsOf(v.Type()), func(f field) bool { return f.Tag.Get("when") != "" })
		d.broken[path] = !uniform
		return current, uniform
	}
	v.SetZero()
	setDefaults(v, chosen.text)
	return chosen.text, true
}

// driver answers a section that names a driver instead of a type.
func (d *decoder) driver(driver *node, f field, path, key string) {
	here := join(path, key)
	d.broken[path] = true // nothing else of it can be judged
	if key == "path" {
		d.problem(driver, here, here+": drivers cannot be loaded from a path; they are compiled into the server and selected with name = \"...\" or type = \"...\"")
		return
	}
	if driver.kind != kindString {
		d.wrong(driver, here, "a text")
		return
	}
	hint := meant(path, driver.text, f.oneof())
	if hint == "" {
		hint = "; available: type = " + quoteAll(f.available())
	}
	d.problem(driver, here, fmt.Sprintf("%s = %s is not available in this build%s", here, driver.describe(), hint))
}

// value fills v, the field f, from n.
func (d *decoder) value(n *node, v reflect.Value, f field, path string) {
	switch {
	case n.kind == kindBroken:
		d.broken[path] = true
	case f.ignored() != "":
		if n.kind != kindNull && !d.report.full() {
			d.report.warn(n.src.problem(n.pos, path, fmt.Sprintf("%s has no effect: %s", path, f.ignored())))
		}
	case f.Type == reflect.TypeFor[Plugins]():
		d.plugins(n, path)
	case isSection(f.Type):
		d.section(n, v, path)
	case f.Type.Kind() == reflect.Slice:
		d.list(n, v, f, path)
	default:
		if !scalar(n, v, f) {
			d.wrong(n, path, f.expected()+unquoteHint(n, f))
		}
	}
}

// list replaces the list v by the items of n.
func (d *decoder) list(n *node, v reflect.Value, f field, path string) {
	items := n.items
	if f.single() && n.kind == kindTable {
		items = []*node{n}
	} else if n.kind != kindList {
		d.wrong(n, path, f.expected())
		return
	}
	v.SetZero()
	for i, item := range items {
		here := path + "[" + strconv.Itoa(i) + "]"
		d.at[here] = item
		element := reflect.New(f.Type.Elem()).Elem()
		switch {
		case item.kind == kindBroken:
			d.broken[here] = true
		case isSection(f.Type.Elem()):
			d.section(item, element, here)
		default:
			if !scalar(item, element, field{StructField: reflect.StructField{Type: f.Type.Elem()}}) {
				d.wrong(item, here, f.expected())
			}
		}
		v.Set(reflect.Append(v, element))
	}
}

// scalar sets v from n, or leaves it and returns false if n has the wrong type or does not parse.
func scalar(n *node, v reflect.Value, f field) bool {
	x, ok := parsed(n, f)
	if ok {
		v.Set(reflect.ValueOf(x).Convert(f.Type))
	}
	return ok
}

// parsed returns n as a value of f's type.
func parsed(n *node, f field) (any, bool) {
	switch f.Type {
	case reflect.TypeFor[Duration]():
		return durationOf(n, f)
	case reflect.TypeFor[Size]():
		return sizeOf(n)
	case reflect.TypeFor[LogLevel]():
		level, ok := ParseLogLevel(n.text)
		return level, ok && (n.kind == kindString || n.kind == kindInt)
	case reflect.TypeFor[Document]():
		return Document{n.plain(), n.file}, n.kind == kindTable
	case reflect.TypeFor[*bool]():
		b := n.text == "true"
		return &b, n.kind == kindBool
	}
	switch f.Type.Kind() {
	case reflect.Bool:
		return n.text == "true", n.kind == kindBool
	case reflect.Int:
		i, ok := n.integer()
		return i, ok && int64(int(i)) == i
	default:
		return n.text, n.kind == kindString
	}
}

func durationOf(n *node, f field) (Duration, bool) {
	switch n.kind {
	case kindInt:
		ms, ok := n.integer()
		return Duration(ms) * Duration(time.Millisecond), ok && max(ms, -ms) <= int64(durationMax)
	case kindString:
		return parseDuration(n.text)
	case kindNull:
		return Off, f.off()
	case kindBool:
		return Off, f.off() && n.text == "false"
	}
	return 0, false
}

func sizeOf(n *node) (Size, bool) {
	switch n.kind {
	case kindInt:
		bytes, ok := n.integer()
		return Size(bytes), ok
	case kindString:
		return parseSize(n.text)
	}
	return 0, false
}

// plugins checks the shape of every plugin; that none is available is said by validate.
func (d *decoder) plugins(n *node, path string) {
	if n.kind == kindNull {
		return
	}
	if n.kind != kindTable {
		d.wrong(n, path, "a section")
		return
	}
	for _, e := range n.entries {
		here := join(path, e.key)
		name := e.value.get("name")
		switch {
		case e.value.kind != kindTable:
			d.wrong(e.value, here, "a section such as { name = \"...\", options = {} }")
		case e.value.get("path") != nil:
			d.problem(e.value.get("path"), join(here, "path"), here+".path: plugins cannot be loaded from a path; they are compiled into the server and selected with name = \"...\"")
		case name == nil || name.kind != kindString:
			d.problem(e.value, here, here+": key \"name\" is missing: expected the name of a plugin compiled into the server")
		default:
			d.problem(name, here, fmt.Sprintf("%s.name = %s is not available in this build%s", here, name.describe(), meant(path, name.text, nil)))
		}
	}
}

// problem reports message at n.
func (d *decoder) problem(n *node, path, message string) {
	d.broken[path] = true
	if !d.report.full() {
		d.report.add(n.src.problem(n.pos, path, message))
	}
}

// wrong reports a value that is not what was expected.
func (d *decoder) wrong(n *node, path, expected string) {
	d.problem(n, path, fmt.Sprintf("%s = %s: expected %s", subject(path), n.describe(), expected))
}

// unknown reports a key that is not in the schema at this place.
func (d *decoder) unknown(n *node, e entry, path string, fields []field) {
	if d.report.full() {
		return
	}
	where := "in " + path
	if path == "" {
		where = "at the top level"
	}
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	message := fmt.Sprintf("unknown key %s %s%s", quote(e.key), where, misplaced(path, e.key, keys))
	d.report.add(n.src.problem(e.pos, join(path, e.key), message))
}

// subject names path in a message; the document itself has no path.
func subject(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

// prefix starts a message about a section.
func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// unquoteHint helps with port = "${PORT}".
func unquoteHint(n *node, f field) string {
	if n.kind != kindString {
		return ""
	}
	_, err := strconv.ParseInt(n.text, 10, 64)
	if kind := f.Type.Kind(); kind == reflect.Bool && (n.text == "true" || n.text == "false") || kind == reflect.Int && err == nil {
		return "; remove the quotes"
	}
	return ""
}
