package httpapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"deepstream-fast/lazyjson"
	"deepstream-fast/protocol"
	"deepstream-fast/session"
)

// What is wrong with a command is said in words that help.
func TestWrongCommands(t *testing.T) {
	for command, want := range map[string]string{
		`1`:                                      "a command must be an object",
		`[]`:                                     "a command must be an object",
		`{}`:                                     "property 'topic' is required",
		`{"topic":1}`:                            "property 'topic' must be a string",
		`{"topic":"evil"}`:                       "unknown topic 'evil'",
		`{"topic":"event"}`:                      "property 'action' is required for topic 'event'",
		`{"topic":"event","action":1}`:           "property 'action' must be a string",
		`{"topic":"event","action":"subscribe"}`: "unknown action 'subscribe' for topic 'event'",
		`{"topic":"record","action":"erase","recordName":"r"}`:                                "unknown action 'erase' for topic 'record'",
		`{"topic":"list","action":"head","listName":"l"}`:                                     "unknown action 'head' for topic 'list'",
		`{"topic":"event","action":"emit"}`:                                                   "property 'eventName' is required for topic 'event' and action 'emit'",
		`{"topic":"event","action":"emit","eventName":""}`:                                    "property 'eventName' must be a non-empty string",
		`{"topic":"event","action":"emit","eventName":1}`:                                     "property 'eventName' must be a non-empty string",
		`{"topic":"event","action":"emit","eventName":"e","recordName":"r"}`:                  "property 'recordName' is not allowed for topic 'event' and action 'emit'",
		`{"topic":"event","action":"emit","eventName":"e","Data":1}`:                          "property 'Data' is not allowed for topic 'event' and action 'emit'",
		`{"topic":"event","action":"emit","eventName":"e","":1}`:                              "property '' is not allowed for topic 'event' and action 'emit'",
		`{"topic":"rpc","action":"make","eventName":"e"}`:                                     "property 'rpcName' is required for topic 'rpc' and action 'make'",
		`{"topic":"record","action":"read","recordName":["r"]}`:                               "property 'recordName' must be a non-empty string",
		`{"topic":"record","action":"read","recordName":"r","version":1}`:                     "property 'version' is not allowed for topic 'record' and action 'read'",
		`{"topic":"record","action":"write","recordName":"r"}`:                                "property 'data' is required for topic 'record' and action 'write'",
		`{"topic":"record","action":"write","recordName":"r","data":null}`:                    "property 'data' must be an object or an array",
		`{"topic":"record","action":"write","recordName":"r","data":"x"}`:                     "property 'data' must be an object or an array",
		`{"topic":"record","action":"write","recordName":"r","data":1,"path":""}`:             "property 'data' must be an object or an array",
		`{"topic":"record","action":"write","recordName":"r","path":"a"}`:                     "property 'data' is required for topic 'record' and action 'write'",
		`{"topic":"record","action":"write","recordName":"r","data":1,"path":2}`:              "property 'data' must be an object or an array",
		`{"topic":"record","action":"write","recordName":"r","data":{},"path":2}`:             "property 'path' must be a string",
		`{"topic":"record","action":"write","recordName":"r","data":{},"version":-2}`:         "property 'version' must be an integer of -1 or more",
		`{"topic":"record","action":"write","recordName":"r","data":{},"version":1.5}`:        "property 'version' must be an integer of -1 or more",
		`{"topic":"record","action":"write","recordName":"r","data":{},"version":"1"}`:        "property 'version' must be an integer of -1 or more",
		`{"topic":"record","action":"write","recordName":"r","data":{},"version":2147483648}`: "property 'version' must be an integer of -1 or more",
		`{"topic":"record","action":"notify","recordNames":"r"}`:                              "property 'recordNames' must be an array of strings",
		`{"topic":"record","action":"notify","recordNames":["r",1]}`:                          "property 'recordNames' must be an array of strings",
		`{"topic":"list","action":"write","listName":"l","data":{}}`:                          "property 'data' must be an array of strings",
		`{"topic":"list","action":"write","listName":"l","data":["a",null]}`:                  "property 'data' must be an array of strings",
		`{"topic":"list","action":"write","listName":"l","data":["a"],"path":"0"}`:            "property 'path' is not allowed for topic 'list' and action 'write'",
		`{"topic":"presence","action":"query","names":"a"}`:                                   "property 'names' must be an array of strings",
		`{"topic":"presence","action":"query","parameters":[]}`:                               "property 'parameters' is not allowed for topic 'presence' and action 'query'",
		`{"topic":"presence","action":"` + strings.Repeat("x", 100) + `","names":["a"]}`:      "unknown action '" + strings.Repeat("x", 64) + "' for topic 'presence'",
	} {
		var m protocol.Message
		var g ids
		if err := decodeCommand(&m, []byte(command), &g); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", command, err, want)
		}
	}
}

// What a command becomes.
func TestRightCommands(t *testing.T) {
	for command, want := range map[string]string{
		`{"topic":"event","action":"emit","eventName":"e"}`:                                             `EVENT EMIT name="e"`,
		`{"topic":"event","action":"emit","eventName":"e","data":null}`:                                 `EVENT EMIT name="e" data="null"`,
		`{"topic":"event","action":"emit","eventName":"e","data": "x\u0041" }`:                          `EVENT EMIT name="e" data="\"x\\u0041\""`,
		`{"topic":"rpc","action":"make","rpcName":"add","data":[1, 2]}`:                                 `RPC REQUEST name="add" correlationId="1" data="[1, 2]"`,
		`{"topic":"record","action":"read","recordName":"r"}`:                                           `RECORD READ name="r"`,
		`{"topic":"record","action":"write","recordName":"r","data":{},"version":-1}`:                   `RECORD CREATEANDUPDATE isWriteAck name="r" correlationId="0" version=-1 data="{}"`,
		`{"topic":"record","action":"write","recordName":"r","data":{},"version":1.2e1}`:                `RECORD CREATEANDUPDATE isWriteAck name="r" correlationId="0" version=12 data="{}"`,
		`{"topic":"record","action":"write","recordName":"r","data":[],"version":0}`:                    `RECORD CREATEANDUPDATE isWriteAck name="r" correlationId="0" version=-1 data="[]"`,
		`{"topic":"record","action":"write","recordName":"r","data":1,"path":"a.b","version":3}`:        `RECORD CREATEANDPATCH isWriteAck name="r" correlationId="0" path="a.b" version=3 data="1"`,
		`{"topic":"record","action":"notify","recordNames":["a","b\n"]}`:                                `RECORD NOTIFY correlationId="0" names=["a" "b\n"]`,
		`{"topic":"record","action":"notify","recordNames":[]}`:                                         `RECORD NOTIFY correlationId="0"`,
		`{"topic":"list","action":"write","listName":"l","data":["a","\ud83d\ude00"]}`:                  `RECORD CREATEANDUPDATE isWriteAck name="l" correlationId="0" version=-1 data="[\"a\",\"\\ud83d\\ude00\"]"`,
		`{"topic":"presence","action":"query"}`:                                                         `PRESENCE QUERY_ALL`,
		`{"topic":"presence","action":"query","names":["a"]}`:                                           `PRESENCE QUERY correlationId="0" names=["a"]`,
		`{"topic":"event","topic":"presence","action":"emit","action":"query","names":1,"names":["a"]}`: `PRESENCE QUERY correlationId="0" names=["a"]`,
	} {
		var m protocol.Message
		var g ids
		if err := decodeCommand(&m, []byte(command), &g); err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		if got := m.String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", command, got, want)
		}
	}
}

func TestCallsHaveIDsOfTheirOwn(t *testing.T) {
	var a, b ids
	a.init()
	b.init()
	seen := map[string]bool{}
	for range 100 {
		seen[string(a.next())] = true
		seen[string(b.next())] = true
	}
	if len(seen) != 200 {
		t.Errorf("%d ids of 200 are alike", 200-len(seen))
	}
}

// FuzzCommands holds the walk over a body against encoding/json, and what is accepted against the table
// of commands.
func FuzzCommands(f *testing.F) {
	f.Add([]byte(`{"body":[{"topic":"event","action":"emit","eventName":"e","data":{"a":[1,"\"]}"]}}]}`))
	f.Add([]byte(` { "token" : "t" , "body" : [ {"topic":"record","action":"write","recordName":"r","data":1,"path":"a","version":2} , 1 ] } `))
	f.Add([]byte(`{"authData":{},"body":[{"topic":"presence","action":"query","names":["a","\u00e9"]}]}`))
	f.Add([]byte(`{"body":[{"topic":"list","action":"write","listName":"l","data":["a"],"version":-1}],"body":[{"topic":"record","action":"notify","recordNames":[]}]}`))
	f.Add([]byte(`{"body":[{"topic":"presence","action":"query","names":["a"` + strings.Repeat(`,"a"`, 250) + `]}]}`))
	f.Add([]byte(`{"a":{"b":[[],{}]},"a":1,"\u0062ody":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if checkJSON(in) != nil {
			return
		}
		s := &Server{opts: Options{API: &API{AllowAuthData: true}}}
		compareMembers(t, in)
		credentials, list, problem := s.envelope(in)
		if problem != "" {
			return
		}
		if !lazyjson.Valid(credentials) || credentials[0] != '{' || !lazyjson.Valid(list) {
			t.Fatalf("credentials %q, list %q", credentials, list)
		}
		least := 0 // what the commands cost that are accepted
		elements(list, func(_ int, raw []byte) bool {
			least++
			if raw[0] == '{' {
				compareMembers(t, raw)
			}
			var m protocol.Message
			if err := decodeCommand(&m, raw, &s.ids); err == nil {
				checkMessage(t, &m)
				least += m.Names.Len() / session.NamesPerMessage
			} else if len(err.Error()) > 300 {
				t.Errorf("a reason of %d bytes", len(err.Error()))
			}
			return true
		})
		if n := messagesOf(list); n < least || least == 0 {
			t.Fatalf("%q costs %d messages, want at least %d", list, n, least)
		}
	})
}

// compareMembers checks that members sees in an object what encoding/json does.
func compareMembers(t *testing.T, in []byte) {
	t.Helper()
	if in[blank(in, 0)] != '{' {
		return
	}
	got, want := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	members(in, func(key, value []byte) { got[string(key)] = value })
	if err := json.Unmarshal(in, &want); err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%q: members %q, want %q", in, got, want)
	}
	for key, value := range want {
		if !bytes.Equal(got[key], bytes.Trim(value, " \t\r\n")) {
			t.Fatalf("%q: %q is %q, want %q", in, key, got[key], value)
		}
	}
}

func checkMessage(t *testing.T, m *protocol.Message) {
	t.Helper()
	if m.Data != nil && !lazyjson.Valid(m.Data) {
		t.Errorf("data %q", m.Data)
	}
	named := m.Action != protocol.RecordNotify && m.Topic == protocol.TopicRecord || m.Topic == protocol.TopicEvent || m.Topic == protocol.TopicRPC
	if named == (len(m.Name) == 0) {
		t.Errorf("%s: a name or none", m)
	}
	if m.HasVersion && (m.Version < -1 || m.Version == 0 || !m.IsWriteAck) {
		t.Errorf("%s: version", m)
	}
	if m.Action == protocol.RecordCreateAndPatch && m.Topic == protocol.TopicRecord && len(m.Path) == 0 {
		t.Errorf("%s: a patch without a path", m)
	}
}

func BenchmarkDecodeCommand(b *testing.B) {
	raw := []byte(`{"topic":"record","action":"write","recordName":"user/4711","data":{"name":"somebody","score":12},"version":5}`)
	var m protocol.Message
	var g ids
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if err := decodeCommand(&m, raw, &g); err != nil {
			b.Fatal(err)
		}
	}
}
