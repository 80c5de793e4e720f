package lazyjson

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// official is a line of testdata/patches.txt, recorded by testdata/record.mjs.
type official struct {
	op, doc, path, value string
	server, client       string
}

func officials(t testing.TB) (all []official) {
	t.Helper()
	f, err := os.Open("testdata/patches.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		c := strings.Split(s.Text(), "\t")
		if len(c) != 6 {
			t.Fatalf("%q has %d columns", s.Text(), len(c))
		}
		o := official{c[0], c[1], "", c[3], c[4], c[5]}
		if o.client == "=" {
			o.client = o.server
		}
		if o.op != "multi" {
			if err := json.Unmarshal([]byte(c[2]), &o.path); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, o)
	}
	if len(all) < 2000 {
		t.Fatalf("only %d recorded patches", len(all))
	}
	return all
}

// want returns the result to be held against: the server's, or the client's where the server fails.
func (o official) want() string {
	if ours, ok := deviations[official{op: o.op, doc: o.doc, path: o.path}]; ok {
		return ours
	}
	if strings.HasPrefix(o.server, "!") {
		return o.client
	}
	return o.server
}

// apply carries the operation out with this package.
func (o official) apply(t testing.TB) ([]byte, error) {
	t.Helper()
	doc, value := []byte(o.doc), []byte(o.value)
	if o.op == "multi" {
		return SetMulti(nil, doc, value)
	}
	path, err := ParsePath([]byte(o.path))
	if err != nil {
		return nil, err
	}
	switch o.op {
	case "set":
		return Set(nil, doc, path, value)
	case "erase":
		return Erase(nil, doc, path)
	case "get":
		got, ok := Get(doc, path)
		if !ok {
			got = []byte(`"nothing"`)
		}
		return got, nil
	}
	t.Fatalf("unknown operation %q", o.op)
	return nil, nil
}

// deviations are our results where no official one fits. Before it erases from a new array the client
// fills it, which the server does not do; with null in the way the server cannot be asked.
var deviations = map[official]string{
	{op: "erase", doc: `{"a":null,"z":1}`, path: "a[1]"}:    `{"a":[],"z":1}`,
	{op: "erase", doc: `{"a":null,"z":1}`, path: "a[3]"}:    `{"a":[],"z":1}`,
	{op: "erase", doc: `{"a":null,"z":1}`, path: "a[1][2]"}: `{"a":[null,[]],"z":1}`,
}

func TestOfficialPatches(t *testing.T) {
	for _, o := range officials(t) {
		want := o.want()
		if o.op == "get" && (want == "-" || strings.HasPrefix(want, "!")) {
			want = `"nothing"` // undefined, or an exception for a scalar or null in the way
		}
		if strings.HasPrefix(want, "!") {
			t.Errorf("%+v: no official result to compare with", o)
			continue
		}
		got, err := o.apply(t)
		if err != nil {
			t.Errorf("%s %s at %q with %s: %v, want %s", o.op, o.doc, o.path, o.value, err, want)
			continue
		}
		if !Valid(got) {
			t.Errorf("%s %s at %q with %s: %s is not JSON", o.op, o.doc, o.path, o.value, got)
			continue
		}
		if got, want := tree(t, got).String(), tree(t, []byte(want)).String(); got != want {
			t.Errorf("%s %s at %q with %s:\n got %s\nwant %s", o.op, o.doc, o.path, o.value, got, want)
		}
	}
}

// The model agrees with the record too, so that fuzzing against it means something.
func TestModel(t *testing.T) {
	for _, o := range officials(t) {
		if o.op == "get" || o.op == "multi" {
			continue
		}
		var value []byte
		if o.op == "set" {
			value = []byte(o.value)
		}
		got, err := modelPatch(t, []byte(o.doc), o.path, value)
		if want := tree(t, []byte(o.want())).String(); err != nil || got != want {
			t.Errorf("%s %s at %q:\n got %s, %v\nwant %s", o.op, o.doc, o.path, got, err, want)
		}
	}
}

// What the official modules do on these, nobody should: they reach prototypes, write under the key
// "undefined" or run out of memory.
func TestPathsAreRefusedThatNobodyShouldFollow(t *testing.T) {
	for path, want := range map[string]error{
		"":                               ErrPathEmpty,
		" ":                              ErrPathEmpty,
		"...":                            ErrPathEmpty,
		"\u3000.\ufeff":                  ErrPathEmpty,
		"__proto__":                      ErrPathForbidden,
		"a.__proto__.b":                  ErrPathForbidden,
		" __proto__[0]":                  ErrPathForbidden,
		"prototype":                      ErrPathForbidden,
		"a[0].constructor":               ErrPathForbidden,
		"a\xff":                          ErrPathEncoding,
		"\xed\xa0\x80":                   ErrPathEncoding,
		"a[100001]":                      ErrFill,
		"a[4294967294]":                  ErrFill,
		"l.100003":                       ErrFill,
		"a[60000][60000]":                ErrFill,
		"l[60002][60000]":                ErrFill,
		"a[0x7fffffff].b":                ErrFill,
		"l[4294967294].b":                ErrFill,
		strings.Repeat("x", 4097):        ErrPathTooLong,
		strings.Repeat("a.", 129):        ErrPathTooLong,
		"a" + strings.Repeat("[1]", 128): ErrPathTooLong,
	} {
		p, err := ParsePath([]byte(path))
		dst := []byte("kept")
		if err == nil {
			dst, err = Set(dst, []byte(`{"l":[1,2]}`), p, []byte("1"))
		} else if _, ok := Get([]byte(`{"":1}`), p); ok {
			t.Errorf("%.50q: a refused path finds something", path)
		}
		if !errors.Is(err, want) || string(dst) != "kept" {
			t.Errorf("%.50q: %v, want %v; dst %.50q", path, err, want, dst)
		}
	}
	for _, path := range []string{"a[100000]", "l[100002]", "l.100002", "a[50000][50000]", strings.Repeat("x", 4096), strings.Repeat("a.", 128)} {
		p, err := ParsePath([]byte(path))
		if err != nil {
			t.Errorf("%.50q: %v", path, err)
			continue
		}
		out, err := Set(nil, []byte(`{"l":[1,2]}`), p, []byte("1"))
		if got, ok := Get(out, p); err != nil || !ok || string(got) != "1" {
			t.Errorf("%.50q: %v, then found %q", path, err, got)
		}
	}
}
