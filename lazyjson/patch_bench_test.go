package lazyjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// document returns a record of about size bytes.
func document(size int) []byte {
	doc := []byte(`{"title":"a list of things","version":12,"items":[`)
	for i := 0; len(doc) < size-40; i++ {
		if i > 0 {
			doc = append(doc, ',')
		}
		doc = fmt.Appendf(doc, `{"id":%d,"name":"thing %d","tags":["x","y"],"pos":[%d.5,-3]}`, i, i, i)
	}
	return append(doc, `],"owner":{"name":"alice","ok":true}}`...)
}

var benchmarkSizes = []struct {
	name string
	size int
}{{"200B", 200}, {"1KiB", 1 << 10}, {"64KiB", 64 << 10}}

// The path lies behind everything else, so all of the document is read.
func BenchmarkGet(b *testing.B) {
	for _, s := range benchmarkSizes {
		doc, text := document(s.size), []byte("owner.name")
		b.Run("doc="+s.name+"/impl=lazyjson", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				path, _ := ParsePath(text)
				if _, ok := Get(doc, path); !ok {
					b.Fatal("not found")
				}
			}
		})
		b.Run("doc="+s.name+"/impl=gjson", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if !gjson.GetBytes(doc, "owner.name").Exists() {
					b.Fatal("not found")
				}
			}
		})
	}
}

func BenchmarkSet(b *testing.B) {
	for _, s := range benchmarkSizes {
		doc, text, value := document(s.size), []byte("owner.name"), []byte(`"bob"`)
		b.Run("doc="+s.name+"/impl=lazyjson", func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				path, err := ParsePath(text)
				if err != nil {
					b.Fatal(err)
				}
				if dst, err = Set(dst[:0], doc, path, value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("doc="+s.name+"/impl=std", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				var root map[string]any
				if err := json.Unmarshal(doc, &root); err != nil {
					b.Fatal(err)
				}
				root["owner"].(map[string]any)["name"] = "bob"
				if _, err := json.Marshal(root); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkErase(b *testing.B) {
	for _, s := range benchmarkSizes {
		b.Run("doc="+s.name, func(b *testing.B) {
			doc, path := document(s.size), mustPath(b, "owner.name")
			var dst []byte
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				var err error
				if dst, err = Erase(dst[:0], doc, path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSetMulti(b *testing.B) {
	patches := []byte(`[{"path":"owner.name","data":"bob"},{"path":"items[1].id","data":7},{"path":"new","data":[1]},{"path":"new"}]`)
	for _, s := range benchmarkSizes {
		b.Run("patches=4/doc="+s.name, func(b *testing.B) {
			doc := document(s.size)
			var dst []byte
			b.ReportAllocs()
			b.SetBytes(int64(4 * len(doc)))
			for b.Loop() {
				var err error
				if dst, err = SetMulti(dst[:0], doc, patches); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The cost is that of the document, not that times the segments.
func BenchmarkGetDeep(b *testing.B) {
	for _, segments := range []int{1, 16, SegmentsMax} {
		b.Run(fmt.Sprintf("doc=64KiB/segments=%d", segments), func(b *testing.B) {
			doc := append(bytes.Repeat([]byte(`{"a":`), segments), document(64<<10)...)
			doc = append(doc, bytes.Repeat([]byte("}"), segments)...)
			path := mustPath(b, strings.Repeat("a.", segments))
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if _, ok := Get(doc, path); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
