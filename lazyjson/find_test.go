package lazyjson

import (
	"strings"
	"testing"
)

var findCases = []string{
	``, ` `, `{`, `{}`, ` { } `, `{"a":1}`, `{"a":1,}`, `{"a":1 , "b" : [1, {"a":2}] }`, `{"a":1,"a":{"b":2}}`, `{"\u0061":1}`,
	`{"a"}`, `{"a":}`, `{"a":1`, `{"a":1]`, `{"a":1}}`, `{"a":1} x`, `{a:1}`, `{"a":1 "b":2}`, `{"a":tru}`, `{"b":"\"a\":1"}`,
	`[{"a":1}]`, `"a"`, `nul`, `{"a":"` + "\x01" + `"}`, `{"x":1,"a":null,"y":[]}`, `{"a" :` + "\n\t" + `"v"` + "\r" + `}`,
	strings.Repeat(`{"a":`, DepthMax) + `1` + strings.Repeat(`}`, DepthMax),
	strings.Repeat(`{"a":`, DepthMax+1) + `1` + strings.Repeat(`}`, DepthMax+1),
}

// Find is Valid and Get in one.
func checkFind(t *testing.T, doc string) {
	t.Helper()
	value, found, valid := Find([]byte(doc), []byte("a"))
	if valid != Valid([]byte(doc)) {
		t.Fatalf("%.80q: valid = %v", doc, valid)
	}
	if !valid {
		if found || value != nil {
			t.Fatalf("%.80q: found %q in malformed text", doc, value)
		}
		return
	}
	want, there := Get([]byte(doc), Path{text: []byte("a"), segments: 1})
	if found != there || string(value) != string(want) {
		t.Fatalf("%.80q: got %q %v, want %q %v", doc, value, found, want, there)
	}
}

func TestFind(t *testing.T) {
	for _, doc := range findCases {
		checkFind(t, doc)
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	doc, key := document(1024), []byte("owner")
	if n := testing.AllocsPerRun(100, func() {
		if _, found, _ := Find(doc, key); !found {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzFind(f *testing.F) {
	for _, doc := range findCases {
		f.Add(doc)
	}
	f.Fuzz(checkFind)
}

func BenchmarkFind(b *testing.B) {
	for _, s := range benchmarkSizes {
		b.Run("doc="+s.name, func(b *testing.B) {
			doc, key := document(s.size), []byte("owner")
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if _, found, _ := Find(doc, key); !found {
					b.Fatal("not found")
				}
			}
		})
	}
}
