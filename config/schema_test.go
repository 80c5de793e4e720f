package config

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func itoa(i int) string { return strconv.Itoa(i) }

// document returns JSON that sets path, which may lead through a list, to value; every section of
// several types on the way is of type variant.
func document(path, variant string, value any) string {
	parts := strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i] == "[]" {
			value = []any{value}
			continue
		}
		table := map[string]any{parts[i]: value}
		if variant != "" && parts[i] == "options" {
			table["type"] = variant
		}
		value = table
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// leaves calls check for every key that holds a value, once per type of section it belongs to.
func leaves(t *testing.T, check func(t *testing.T, path, variant string, f field)) {
	n := 0
	visit(reflect.TypeFor[Config](), "", "", func(path, when string, f field) {
		if isSection(f.Type) || f.Type.Kind() == reflect.Map || strings.Contains(path, "*") ||
			f.Type.Kind() == reflect.Slice && isSection(f.Type.Elem()) {
			return
		}
		for _, variant := range strings.Fields(cmp.Or(when, "-")) {
			n++
			variant = strings.TrimPrefix(variant, "-")
			t.Run(path+" "+variant, func(t *testing.T) { check(t, path, variant, f) })
		}
	})
	if n < 100 {
		t.Errorf("only %d keys: is the schema still found?", n)
	}
}

func messages(err error) []Problem {
	problems, _ := err.(Errors)
	return problems
}

func TestEveryKeyHasADefaultAndADescription(t *testing.T) {
	leaves(t, func(t *testing.T, path, variant string, f field) {
		_, hasDefault := f.Tag.Lookup("default")
		if rules := btoi(hasDefault) + btoi(f.required()) + btoi(f.ignored() != ""); rules != 1 && f.Type != reflect.TypeFor[Document]() {
			t.Errorf("%d of default, required and ignored, want 1", rules)
		}
		if !strings.HasSuffix(f.doc(), ".") && !strings.HasSuffix(f.doc(), "!") {
			t.Errorf("doc %q is not a sentence", f.doc())
		}
		if k := f.Type.Kind(); (k == reflect.Int || k == reflect.Int64) && f.Type != reflect.TypeFor[LogLevel]() && f.Tag.Get("range") == "" {
			t.Error("a number without bounds")
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestEveryDefaultIsValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil || c.Warnings != nil {
		t.Errorf("Default: %v, warnings %v", err, c.Warnings)
	}
	leaves(t, func(t *testing.T, path, variant string, f field) {
		text := f.defaultText(variant)
		if text == "" || f.Type.Kind() == reflect.Slice {
			return
		}
		var value any = text
		if f.Type.Kind() == reflect.Bool {
			value = text == "true"
		} else if f.Type.Kind() == reflect.Int && f.Type != reflect.TypeFor[LogLevel]() {
			value, _ = strconv.Atoi(text)
		}
		_, err := load("a.json", document(path, variant, value), lookup(nil))
		for _, p := range messages(err) {
			if schemaPath(p.Key) == path && f.Type != reflect.TypeFor[LogLevel]() {
				t.Errorf("the default is refused: %v", p)
			}
		}
	})
}

func TestEveryKeyRejectsTheWrongType(t *testing.T) {
	leaves(t, func(t *testing.T, path, variant string, f field) {
		if f.ignored() != "" {
			return
		}
		var wrong any = map[string]any{"a": 1}
		if f.Type == reflect.TypeFor[Document]() {
			wrong = 5
		}
		_, err := load("a.json", document(path, variant, wrong), lookup(nil))
		if !slices.ContainsFunc(messages(err), func(p Problem) bool {
			return schemaPath(p.Key) == path && p.Line == 1 && strings.Contains(p.Message, "expected "+f.expected())
		}) {
			t.Errorf("no problem at %s that expects %q: %v", path, f.expected(), err)
		}
	})
}

func TestEveryBoundIsEnforced(t *testing.T) {
	leaves(t, func(t *testing.T, path, variant string, f field) {
		low, high, ok := f.bounds()
		if !ok || f.Type.Kind() == reflect.Slice {
			return
		}
		for _, tc := range []struct {
			value  int64
			inside bool
		}{{low, true}, {high, true}, {low - 1, false}, {high + 1, false}} {
			var value any = tc.value
			if f.Type == reflect.TypeFor[Duration]() {
				value = time.Duration(tc.value).String()
			}
			_, err := load("a.json", document(path, variant, value), lookup(nil))
			outside := slices.ContainsFunc(messages(err), func(p Problem) bool {
				return schemaPath(p.Key) == path && strings.Contains(p.Message, "expected "+f.expected())
			})
			if outside == tc.inside {
				t.Errorf("%v: inside should be %v: %v", value, tc.inside, err)
			}
		}
	})
}

func TestDurationsSizesAndLevelsAreParsed(t *testing.T) {
	for text, want := range map[string]string{
		"0s": "0s", "90s": "1m30s", "1h": "1h", "60m": "1h", "61m": "1h1m", " 5ms ": "5ms", "5": "", "": "", "1d": "", "-1s": "-1s",
	} {
		d, ok := parseDuration(text)
		if ok != (want != "") || ok && d.String() != want {
			t.Errorf("duration %q: got %s, %v, want %q", text, d, ok, want)
		}
	}
	for text, want := range map[string]string{
		"0": "0", "1024": "1KiB", "1 kib": "1KiB", "16MiB": "16MiB", "1MB": "1000000", "5B": "5", "1TiB": "1TiB",
		"2TiB": "", "-1": "", "MiB": "", "1.5MiB": "", "9223372036854775807": "", "": "",
	} {
		s, ok := parseSize(text)
		if ok != (want != "") || ok && s.String() != want {
			t.Errorf("size %q: got %s, %v, want %q", text, s, ok, want)
		}
	}
	for text, want := range map[string]LogLevel{"debug": 0, "Warn": 2, "100": LevelOff, "4": LevelFatal} {
		if l, ok := ParseLogLevel(text); !ok || l != want {
			t.Errorf("level %q: got %s, %v", text, l, ok)
		}
	}
	for _, text := range []string{"", "5", "-1", "verbose"} {
		if l, ok := ParseLogLevel(text); ok {
			t.Errorf("level %q accepted as %s", text, l)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"prot", "port", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1}} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
		if got := distance(tc.b, tc.a); got != tc.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tc.b, tc.a, got, tc.want)
		}
	}
}

const (
	referenceFile = "../docs/configuration.md"
	tableStart    = "<!-- keys: written by go test ./config -run Reference -args -rewrite -->\n"
	tableEnd      = "<!-- end of keys -->\n"
)

// TestReferenceIsCurrent compares the table of docs/configuration.md with the schema.
func TestReferenceIsCurrent(t *testing.T) {
	data, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableStart)
	table, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("%s has no marks for the table", referenceFile)
	}
	want := referenceTable()
	if table == want {
		return
	}
	if f := flag.Lookup("rewrite"); f == nil || f.Value.String() != "true" {
		t.Fatalf("%s is out of date; run: go test ./config -run Reference -args -rewrite", referenceFile)
	}
	if err := os.WriteFile(referenceFile, []byte(before+tableStart+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// referenceTable shows a section per top-level key with a row per key.
func referenceTable() string {
	var b strings.Builder
	section := ""
	visit(reflect.TypeFor[Config](), "", "", func(path, when string, f field) {
		top, _, nested := strings.Cut(path, ".")
		top = strings.TrimSuffix(top, "[]")
		switch isSection := isSection(f.Type); {
		case !nested && !isSection && f.Type.Kind() != reflect.Slice && f.Type.Kind() != reflect.Map:
			top = "General"
		case isSection && f.doc() == "":
			return
		}
		if top != section {
			section = top
			fmt.Fprintf(&b, "\n### %s\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n", section)
		}
		cells := []string{"`" + path + "`", typeName(f), shownDefault(f), allowed(f), meaning(f, when)}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	})
	return b.String() + "\n"
}

func typeName(f field) string {
	switch f.Type {
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[LogLevel]():
		return "level"
	case reflect.TypeFor[*bool]():
		return "bool"
	case reflect.TypeFor[[]string]():
		return "list of texts"
	case reflect.TypeFor[[]int]():
		return "list of integers"
	case reflect.TypeFor[Ignored]():
		return "any"
	}
	switch f.Type.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int:
		return "integer"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "list of sections"
	default:
		return "section"
	}
}

func shownDefault(f field) string {
	text := f.defaultText("")
	switch {
	case f.required():
		return "required"
	case f.Type.Kind() == reflect.Slice && text == "":
		return "`[]`"
	case text == "" && f.Type.Kind() == reflect.String:
		return "`\"\"`"
	case text == "":
		return "–"
	}
	text = "`" + text + "`"
	for _, variant := range []string{"ws-text", "ws-json"} {
		if other := f.defaultText(variant); "`"+other+"`" != text && f.Tag.Get("default-"+variant) != "" {
			text += ", " + variant + ": `" + other + "`"
		}
	}
	return text
}

func allowed(f field) string {
	var parts []string
	for _, s := range f.oneof() {
		parts = append(parts, "`"+s+"`")
	}
	if text := strings.TrimSpace(f.boundsText()); text != "" {
		parts = append(parts, text)
	}
	if f.off() {
		parts = append(parts, "`false`")
	}
	if f.Type == reflect.TypeFor[LogLevel]() {
		parts = append(parts, f.expected())
	}
	return strings.Join(parts, ", ")
}

func meaning(f field, when string) string {
	text := f.doc()
	if when != "" {
		text = "Type " + strings.ReplaceAll(when, " ", ", ") + ": " + text
	}
	switch values := f.unavailable(); {
	case f.ignored() != "":
		text += " Ignored with a warning: " + f.ignored() + "."
	case len(values) == 1 && values[0] == "*":
		text += " Not in this build."
	case len(values) > 0:
		text += " Not in this build: `" + strings.Join(values, "`, `") + "`."
	}
	return text
}
