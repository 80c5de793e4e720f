package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepstream-fast/protocol"
)

// vector is one line of a file in testdata/vectors: bytes of the official encoder with what went in,
// or bytes of ours with what the official decoder made of them. See testdata/vector.mjs.
type vector struct {
	Name    string          `json:"name"`
	Hex     string          `json:"hex"`
	Message officialMessage `json:"message"`
}

// officialMessage has the properties of a message of the official implementation.
type officialMessage struct {
	Topic           int32    `json:"topic"`
	Action          *int32   `json:"action"`
	Data            text     `json:"data"`
	CorrelationID   text     `json:"correlationId"`
	Name            text     `json:"name"`
	Subscription    text     `json:"subscription"`
	Path            text     `json:"path"`
	Names           []text   `json:"names"`
	IsError         *bool    `json:"isError"`
	IsAck           *bool    `json:"isAck"`
	IsWriteAck      *bool    `json:"isWriteAck"`
	Version         *int32   `json:"version"`
	Versions        []offVer `json:"versions"`
	OriginalTopic   *int32   `json:"originalTOPIC"`
	OriginalAction  *int32   `json:"originalAction"`
	RequestorName   text     `json:"requestorName"`
	RequestorData   text     `json:"requestorData"`
	URL             text     `json:"url"`
	ProtocolVersion text     `json:"protocolVersion"`
	SDKVersion      text     `json:"sdkVersion"`
	SDKType         text     `json:"sdkType"`

	// Fields that protocol.Message does not hold.
	Pattern     text   `json:"pattern"`
	Locked      *bool  `json:"locked"`
	LeaderScore *int32 `json:"leaderScore"`
	Role        text   `json:"role"`
}

type offVer struct {
	Name    text  `json:"name"`
	Version int32 `json:"version"`
}

// text is nil where the vector has no such property.
type text []byte

func (t *text) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		*t = text(s)
		return err
	}
	var form struct {
		Hex    string `json:"hex"`
		Repeat string `json:"repeat"`
		Times  int    `json:"times"`
	}
	if err := json.Unmarshal(b, &form); err != nil {
		return err
	}
	raw, err := hex.DecodeString(form.Hex)
	*t = append(raw, strings.Repeat(form.Repeat, form.Times)...)
	return err
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// message returns o as Decode is to return it.
func (o *officialMessage) message() *protocol.Message {
	m := &protocol.Message{
		Topic: protocol.Topic(o.Topic), Action: protocol.Action(orZero(o.Action)),
		Data: o.Data, CorrelationID: o.CorrelationID, Name: o.Name, Subscription: o.Subscription, Path: o.Path,
		IsError: orZero(o.IsError), IsAck: orZero(o.IsAck), IsWriteAck: orZero(o.IsWriteAck),
		HasVersion: o.Version != nil, Version: orZero(o.Version),
		OriginalTopic: protocol.Topic(orZero(o.OriginalTopic)), OriginalAction: protocol.Action(orZero(o.OriginalAction)),
		RequestorName: o.RequestorName, RequestorData: o.RequestorData,
		URL: o.URL, ProtocolVersion: o.ProtocolVersion, SDKVersion: o.SDKVersion, SDKType: o.SDKType,
	}
	var names [][]byte
	for _, name := range o.Names {
		names = append(names, name)
	}
	m.Names = protocol.ListNames(names)
	for _, v := range o.Versions {
		m.Versions = append(m.Versions, protocol.NameVersion{Name: v.Name, Version: v.Version})
	}
	return m
}

// plain reports whether our encoder can write o byte by byte as the official one did: nothing in it
// is beyond Message, and nothing is present that Message holds as a mere zero.
func (o *officialMessage) plain() bool {
	zero := func(p *bool) bool { return p != nil && !*p }
	zeroNumber := func(p *int32) bool { return p != nil && *p == 0 }
	beyond := o.Pattern != nil || o.Locked != nil || o.LeaderScore != nil || o.Role != nil
	return !beyond && o.Action != nil && !zero(o.IsError) && !zero(o.IsAck) && !zero(o.IsWriteAck) &&
		!zeroNumber(o.OriginalTopic) && !zeroNumber(o.OriginalAction)
}

func readVectors(t testing.TB, path string) []vector {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var vectors []vector
	if err := d.Decode(&vectors); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(vectors) == 0 {
		t.Fatalf("%s: no vectors", path)
	}
	return vectors
}

func (v *vector) wire(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	return b
}

func vectorFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) < 11 {
		t.Fatalf("%d vector files, error %v", len(files), err)
	}
	return files
}

// diff names the fields in which a and b differ, or returns "". nil and empty slices differ, except
// in lists.
func diff(a, b *protocol.Message) string {
	var fields []string
	differ := func(field string, unequal bool) {
		if unequal {
			fields = append(fields, field)
		}
	}
	same := func(field string, x, y []byte) { differ(field, !bytes.Equal(x, y) || (x == nil) != (y == nil)) }
	differ("topic", a.Topic != b.Topic)
	differ("action", a.Action != b.Action)
	same("data", a.Data, b.Data)
	same("correlationId", a.CorrelationID, b.CorrelationID)
	same("name", a.Name, b.Name)
	same("subscription", a.Subscription, b.Subscription)
	same("path", a.Path, b.Path)
	differ("isError", a.IsError != b.IsError)
	differ("isAck", a.IsAck != b.IsAck)
	differ("isWriteAck", a.IsWriteAck != b.IsWriteAck)
	differ("version", a.Version != b.Version || a.HasVersion != b.HasVersion)
	differ("originalTopic", a.OriginalTopic != b.OriginalTopic)
	differ("originalAction", a.OriginalAction != b.OriginalAction)
	same("requestorName", a.RequestorName, b.RequestorName)
	same("requestorData", a.RequestorData, b.RequestorData)
	same("url", a.URL, b.URL)
	same("protocolVersion", a.ProtocolVersion, b.ProtocolVersion)
	same("sdkVersion", a.SDKVersion, b.SDKVersion)
	same("sdkType", a.SDKType, b.SDKType)
	differ("names", !equalNames(&a.Names, &b.Names))
	differ("versions", !equalVersions(a.Versions, b.Versions))
	return strings.Join(fields, ", ")
}

func equalNames(a, b *protocol.Names) bool {
	x, y := a.Iter(), b.Iter()
	for n := 0; ; n++ {
		more := x.Next()
		if more != y.Next() {
			return false
		}
		if !more {
			return n == a.Len() && n == b.Len()
		}
		if !bytes.Equal(x.Name(), y.Name()) {
			return false
		}
	}
}

func equalVersions(a, b []protocol.NameVersion) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Version != b[i].Version || !bytes.Equal(a[i].Name, b[i].Name) {
			return false
		}
	}
	return true
}

func requireEqual(t testing.TB, what string, got, want *protocol.Message) {
	t.Helper()
	if fields := diff(got, want); fields != "" {
		t.Errorf("%s: %s differ:\n got %.2000v\nwant %.2000v", what, fields, got, want)
	}
}
