package lazyjson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

const payload64 = `{"id":12345,"user":"alice","ok":true,"pos":[12.5,-3],"t":"hello"}`

func BenchmarkValid(b *testing.B) {
	payloads := []struct{ name, text string }{
		{"64B", payload64},
		{"210B", `{"name":"sensor/kitchen/1","values":[21.5,21.7,21.9,22.0,22.4],"unit":"celsius","note":"window open \"again\"","meta":{"fw":"1.4.2","battery":0.87,"online":true,"seen":1700000000123,"tags":["a","b","c"]}}`},
		{"string=4KiB", `{"text":"` + strings.Repeat("lorem ipsum dolor ", 228) + `"}`},
		{"numbers=4KiB", "[" + strings.Repeat("12.375,", 585) + "0]"},
	}
	checks := []struct {
		name  string
		valid func([]byte) bool
	}{{"lazyjson", Valid}, {"gjson", gjson.ValidBytes}, {"std", json.Valid}}
	for _, p := range payloads {
		for _, c := range checks {
			b.Run("payload="+p.name+"/impl="+c.name, func(b *testing.B) {
				text := []byte(p.text)
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if !c.valid(text) {
						b.Fatal("not valid")
					}
				}
			})
		}
	}
}
