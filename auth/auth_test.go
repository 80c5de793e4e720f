package auth

import "testing"

func TestOpenNamesUsersAsJavaScriptWould(t *testing.T) {
	for _, tt := range []struct{ data, id string }{
		{`{}`, "open"},
		{`{"username":""}`, "open"},
		{`{"username":null}`, "open"},
		{`{"username":false}`, "open"},
		{`{"username":0}`, "open"},
		{`{"username":"alice"}`, "alice"},
		{`{"username":"OPEN"}`, "OPEN"},
		{`{"username":"\u00e9"}`, "é"},
		{`{"username":7}`, "7"},
		{`{"username":true}`, "true"},
		{`{"username":{"a":1}}`, "[object Object]"},
		{`{"user":"bob"}`, "open"},
	} {
		calls := 0
		Open{}.Authenticate(&Request{Data: []byte(tt.data)}, func(r Result) {
			calls++
			if !r.Valid || r.ID != tt.id || r.ClientData != nil || r.ServerData != nil {
				t.Errorf("%s: got %+v, want a valid login as %q without data", tt.data, r, tt.id)
			}
		})
		if calls != 1 {
			t.Errorf("%s: done was called %d times", tt.data, calls)
		}
	}
}
