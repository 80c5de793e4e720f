package lazyjson

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPatch holds Set, Erase and Get against the tree model on valid documents, and asks no more than
// bounds of them on others.
func FuzzPatch(f *testing.F) {
	for i, o := range officials(f) {
		if i%25 == 0 && o.op != "multi" {
			f.Add([]byte(o.doc), o.path, []byte(o.value))
		}
	}
	f.Add(nested(20), "0.a[0].a[0].a.b", []byte(`[[]]`))
	for _, path := range []string{"a", "a.b", "a.b.q", "a.b[0]", "a.a.c", "a.x.a", "b.a"} {
		f.Add([]byte(`{"a":{"b":1,"a":{"c":1}},"b":{"a":1},"a":{"x":{"a":1},"b":[1],"b":{"q":1}},"b":0}`), path, []byte("[]"))
	}
	f.Add([]byte(`{"a":1,"b":[3],"\u0061":{"k":4}}`), "a.k[2]", []byte(`"\ud83d\ude00"`))
	f.Fuzz(func(t *testing.T, doc []byte, text string, value []byte) {
		path, err := ParsePath([]byte(text))
		if err != nil {
			if errors.Is(err, ErrPathEmpty) != (len(steps(text)) == 0) && utf8.ValidString(text) && len(text) <= PathBytesMax {
				t.Fatalf("ParsePath(%q) = %v, the model sees %d segments", text, err, len(steps(text)))
			}
			return
		}
		docBefore, valueBefore := bytes.Clone(doc), bytes.Clone(value)
		set, setErr := Set([]byte("kept"), doc, path, value)
		erased, eraseErr := Erase([]byte("kept"), doc, path)
		_, had := Get(doc, path)
		if !bytes.Equal(doc, docBefore) || !bytes.Equal(value, valueBefore) {
			t.Fatalf("%q or %q was modified", docBefore, valueBefore)
		}
		if !bytes.HasPrefix(set, []byte("kept")) || !bytes.HasPrefix(erased, []byte("kept")) {
			t.Fatalf("dst was modified: %.20q, %.20q", set, erased)
		}
		// The model reads half surrogate pairs and invalid UTF-8 as U+FFFD, which the package does not.
		if !Valid(doc) || !Valid(value) || !utf8.Valid(doc) || strings.Contains(text, "\ufffd") {
			return
		}
		checkPatch(t, doc, text, value, set[4:], setErr)
		checkPatch(t, doc, text, nil, erased[4:], eraseErr)
		if setErr == nil {
			checkAfterSet(t, path, value, set[4:])
		}
		if eraseErr == nil {
			if got, ok := Get(erased[4:], path); ok && (!had || string(got) != "null") {
				t.Errorf("%q erased from %q: still %q", text, doc, got)
			}
		}
	})
}

// checkPatch compares got and err with what the model makes of the same patch.
func checkPatch(t *testing.T, doc []byte, path string, value, got []byte, err error) {
	t.Helper()
	if c := bytes.TrimLeft(doc, " \t\r\n")[0]; !isOpener(c) || err != nil && !errors.Is(err, ErrFill) {
		if isOpener(c) && !errors.Is(err, ErrTooDeep) || !isOpener(c) && err == nil {
			t.Errorf("%q at %q with %q: %v", doc, path, value, err)
		}
		return
	}
	want, wantErr := modelPatch(t, doc, path, value)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%q at %q with %q: %v, the model says %v", doc, path, value, err, wantErr)
	}
	if err != nil {
		return
	}
	if !Valid(got) {
		t.Fatalf("%q at %q with %q: %q is not JSON", doc, path, value, got)
	}
	if have := tree(t, got).String(); have != want {
		t.Errorf("%q at %q with %q:\n got %s\nwant %s", doc, path, value, have, want)
	}
}

// checkAfterSet: a value that was set can be got; setting it again changes nothing; erased, it is gone.
func checkAfterSet(t *testing.T, path Path, value, doc []byte) {
	t.Helper()
	got, ok := Get(doc, path)
	if !ok {
		return // lost in an array: the model agrees
	}
	if want := bytes.Trim(value, " \t\r\n"); !bytes.Equal(got, want) {
		t.Errorf("%q at %q: got %q, set %q", doc, path.text, got, want)
	}
	again, err := Set(nil, doc, path, got)
	if err != nil || !bytes.Equal(again, doc) {
		t.Errorf("%q at %q again: %q, %v", doc, path.text, again, err)
	}
	gone, err := Erase(nil, doc, path)
	if got, ok := Get(gone, path); err != nil || ok && string(got) != "null" {
		t.Errorf("%q at %q erased: %q, %v", doc, path.text, gone, err)
	}
}

// FuzzSetMulti: never a panic, all or nothing, and valid JSON from valid JSON.
func FuzzSetMulti(f *testing.F) {
	for _, o := range officials(f) {
		if o.op == "multi" {
			f.Add([]byte(o.doc), []byte(o.value))
		}
	}
	f.Add([]byte(`{}`), []byte(`[{"p\u0061th":"\u00e9\ud83d\ude00\"","data":1},{"path":"l[3].x"}]`))
	f.Fuzz(func(t *testing.T, doc, patches []byte) {
		got, err := SetMulti([]byte("kept"), doc, patches)
		switch {
		case !bytes.HasPrefix(got, []byte("kept")):
			t.Errorf("dst was modified: %.20q", got)
		case err != nil && len(got) != len("kept"):
			t.Errorf("dst is %.40q after %v", got, err)
		case err == nil && Valid(doc) && Valid(patches) && !Valid(got[4:]):
			t.Errorf("%q with %q: %q is not JSON", doc, patches, got)
		}
	})
}
