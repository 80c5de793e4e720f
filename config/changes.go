package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Changes returns the keys whose values differ between a and b, by full path and in the order of the
// schema: "rpc.ackTimeout", "auth[0].options.users". A list whose length or types differ is named as a
// whole. Values never show: some are secrets.
func Changes(a, b *Config) []string {
	var c changes
	c.section(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem(), "")
	return c
}

// Covers reports whether path is key or lies below it. The index of a list may be left out of key:
// "auth.options.users" covers "auth[0].options.users".
func Covers(key, path string) bool {
	if !strings.Contains(key, "[") {
		path = withoutIndexes(path)
	}
	rest, ok := strings.CutPrefix(path, key)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// withoutIndexes drops every "[0]".
func withoutIndexes(path string) string {
	var b strings.Builder
	for path != "" {
		before, after, found := strings.Cut(path, "[")
		b.WriteString(before)
		if !found {
			break
		}
		_, path, _ = strings.Cut(after, "]")
	}
	return b.String()
}

// changes is a list of paths in the making.
type changes []string

func (c *changes) section(a, b reflect.Value, path string) {
	variant := ""
	if f, ok := typeField(a.Type()); ok {
		variant = a.FieldByIndex(f.Index).String()
		if variant != b.FieldByIndex(f.Index).String() {
			*c = append(*c, join(path, f.key)) // the other keys are not comparable
			return
		}
	}
	for _, f := range fieldsOf(a.Type()) {
		if f.applies(variant) && f.key != "type" && f.ignored() == "" {
			c.value(a.FieldByIndex(f.Index), b.FieldByIndex(f.Index), f, join(path, f.key))
		}
	}
}

func (c *changes) value(a, b reflect.Value, f field, path string) {
	switch {
	case isSection(f.Type):
		c.section(a, b, path)
	case f.Type.Kind() == reflect.Slice && isSection(f.Type.Elem()) && sameTypes(a, b):
		for i := range a.Len() {
			c.section(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case !same(a, b):
		*c = append(*c, path)
	}
}

// same reports whether two values mean the same: a list that is absent is an empty one.
func same(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// sameTypes reports whether two lists of sections have the same types in the same order.
func sameTypes(a, b reflect.Value) bool { return slices.Equal(typesOf(a), typesOf(b)) }

func typesOf(list reflect.Value) []string {
	types := make([]string, list.Len())
	f, _ := typeField(list.Type().Elem())
	for i := range types {
		types[i] = list.Index(i).FieldByIndex(f.Index).String()
	}
	return types
}
