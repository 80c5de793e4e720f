package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is one row of the schema: a struct field with its tags.
type field struct {
	reflect.StructField
	key string
}

func (f field) doc() string     { return f.Tag.Get("doc") }
func (f field) ignored() string { return f.Tag.Get("ignored") }
func (f field) required() bool  { return f.Tag.Get("required") != "" }
func (f field) single() bool    { return f.Tag.Get("single") != "" }
func (f field) off() bool       { return f.Tag.Get("off") != "" }

func (f field) oneof() []string       { return strings.Fields(f.Tag.Get("oneof")) }
func (f field) unavailable() []string { return strings.Fields(f.Tag.Get("unavailable")) }

// available lists the values of oneof this build can honour.
func (f field) available() []string {
	return slices.DeleteFunc(f.oneof(), func(s string) bool { return slices.Contains(f.unavailable(), s) })
}

// applies reports whether the key belongs to a section of type variant.
func (f field) applies(variant string) bool {
	when, ok := f.Tag.Lookup("when")
	return !ok || slices.Contains(strings.Fields(when), variant)
}

// defaultText returns the default of f in a section of type variant.
func (f field) defaultText(variant string) string {
	if s, ok := f.Tag.Lookup("default-" + variant); ok && variant != "" {
		return s
	}
	return f.Tag.Get("default")
}

// bounds returns the inclusive range of f in the unit of its type, false if it has none.
func (f field) bounds() (low, high int64, ok bool) {
	lowText, highText, ok := strings.Cut(f.Tag.Get("range"), "..")
	if !ok {
		return 0, 0, false
	}
	high = f.highest()
	if highText != "" {
		high = f.number(highText)
	}
	return f.number(lowText), high, true
}

// highest returns the largest value of f's type.
func (f field) highest() int64 {
	switch f.Type {
	case reflect.TypeFor[Duration]():
		return int64(durationMax)
	case reflect.TypeFor[Size]():
		return int64(sizeMax)
	default:
		return math.MaxInt32
	}
}

// number reads one end of a range tag.
func (f field) number(text string) int64 {
	switch f.Type {
	case reflect.TypeFor[Duration]():
		d, ok := parseDuration(text)
		return must(int64(d), ok, f, text)
	case reflect.TypeFor[Size]():
		s, ok := parseSize(text)
		return must(int64(s), ok, f, text)
	default:
		i, err := strconv.ParseInt(text, 10, 64)
		return must(i, err == nil, f, text)
	}
}

// must returns v; a tag that does not parse is our mistake, found by every test.
func must[T any](v T, ok bool, f field, text string) T {
	if !ok {
		panic(fmt.Sprintf("config: field %s has an invalid tag value %q", f.Name, text))
	}
	return v
}

// expected says in words which values f takes.
func (f field) expected() string {
	if oneof := f.oneof(); len(oneof) == 1 {
		return quote(oneof[0])
	} else if len(oneof) > 1 {
		return "one of " + quoteAll(oneof)
	}
	var text string
	switch f.Type {
	case reflect.TypeFor[Duration]():
		text = "a duration" + f.boundsText() + ", as integer milliseconds or text such as \"30s\""
	case reflect.TypeFor[Size]():
		text = "a size" + f.boundsText() + ", as integer bytes or text such as \"16MiB\""
	case reflect.TypeFor[LogLevel]():
		return "DEBUG, INFO, WARN, ERROR, FATAL, OFF, or 0 to 4 or 100"
	case reflect.TypeFor[Document]():
		return "a section, normally from \"fileLoad(<file>)\""
	case reflect.TypeFor[*bool]():
		return "true or false"
	case reflect.TypeFor[[]int]():
		return "a list of integers" + f.boundsText()
	case reflect.TypeFor[[]string]():
		return "a list of texts"
	}
	if f.off() {
		return text + ", or false to switch it off"
	}
	if text != "" {
		return text
	}
	switch f.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "an integer" + f.boundsText()
	case reflect.String:
		return "a text"
	case reflect.Slice:
		return "a list of sections"
	default:
		return "a section"
	}
}

func (f field) boundsText() string {
	low, high, ok := f.bounds()
	switch {
	case !ok:
		return ""
	case high == f.highest():
		return " of at least " + f.unit(low)
	default:
		return " from " + f.unit(low) + " to " + f.unit(high)
	}
}

// unit shows n in the unit of f's type.
func (f field) unit(n int64) string {
	switch f.Type {
	case reflect.TypeFor[Duration]():
		return Duration(n).String()
	case reflect.TypeFor[Size]():
		return Size(n).String()
	default:
		return strconv.FormatInt(n, 10)
	}
}

// fieldsOf returns the keys of a section, those of embedded structs included, in declaration order.
// A section of several types lists a key once per type.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("key"); key != "" {
			fields = append(fields, field{f, key})
		}
	}
	return fields
}

// isSection reports whether values of t are sections described by fieldsOf.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Document]() && t != reflect.TypeFor[Ignored]()
}

// typeField returns the field that selects the type of a section, false if sections of t have none.
func typeField(t reflect.Type) (field, bool) {
	for _, f := range fieldsOf(t) {
		if f.key == "type" {
			return f, true
		}
	}
	return field{}, false
}

// setDefaults fills the zero section v of type variant; an empty variant stands for the default one.
func setDefaults(v reflect.Value, variant string) {
	if f, ok := typeField(v.Type()); ok {
		if variant == "" {
			variant = f.defaultText("")
		}
		v.FieldByIndex(f.Index).SetString(variant)
	}
	for _, f := range fieldsOf(v.Type()) {
		if f.key != "type" && f.applies(variant) && f.ignored() == "" {
			setDefault(v.FieldByIndex(f.Index), f, variant)
		}
	}
}

func setDefault(v reflect.Value, f field, variant string) {
	text := f.defaultText(variant)
	switch {
	case isSection(f.Type):
		setDefaults(v, variant)
	case f.Type.Kind() == reflect.Slice && isSection(f.Type.Elem()):
		for _, name := range strings.Fields(text) {
			v.Set(reflect.Append(v, newSection(f.Type.Elem(), name)))
		}
	case text != "":
		setText(v, f, text)
	}
}

// newSection returns a section of type variant with its defaults.
func newSection(t reflect.Type, variant string) reflect.Value {
	v := reflect.New(t).Elem()
	setDefaults(v, variant)
	return v
}

// setText sets v to the default text of a tag.
func setText(v reflect.Value, f field, text string) {
	if f.Type == reflect.TypeFor[LogLevel]() {
		level, ok := ParseLogLevel(text)
		v.SetInt(int64(must(level, ok, f, text)))
		return
	}
	switch f.Type.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(must(b, err == nil, f, text))
	case reflect.String:
		v.SetString(text)
	default:
		v.SetInt(f.number(text))
	}
}

// visit calls row for every key below sections of t, parents first. Lists show as "[]"; variant
// holds the types of section the key needs, empty if there is only one.
func visit(t reflect.Type, path, variant string, row func(path, variant string, f field)) {
	for _, f := range fieldsOf(t) {
		here, within := join(path, f.key), variant
		if when := f.Tag.Get("when"); when != "" {
			within = when
		}
		row(here, within, f)
		switch {
		case isSection(f.Type):
			visit(f.Type, here, within, row)
		case f.Type.Kind() == reflect.Slice && isSection(f.Type.Elem()):
			visit(f.Type.Elem(), here+"[]", "", row)
		case f.Type == reflect.TypeFor[Plugins]():
			visit(reflect.TypeFor[Plugin](), here+".*", "", row)
		}
	}
}

// join appends key to path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
