package httpapi

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"deepstream-fast/protocol"
)

// key is a member of a command.
type key uint16

const (
	keyTopic key = 1 << iota
	keyAction
	keyEventName
	keyRPCName
	keyRecordName
	keyListName
	keyRecordNames
	keyNames
	keyData
	keyVersion
	keyPath
	keys = iota
)

var keyTexts = [keys]string{
	"topic", "action", "eventName", "rpcName", "recordName", "listName", "recordNames", "names", "data", "version", "path",
}

var keyByName = func() map[string]int {
	m := map[string]int{}
	for i, name := range keyTexts {
		m[name] = i
	}
	return m
}()

// shape is what one command looks like and becomes. Source: spec/http-api.md §4.1.
type shape struct {
	topic, action string
	name          key // of what it is about; 0: nothing
	required      key // further members
	optional      key
	list          bool // the data is a list of names
	becomes       protocol.Topic
	as            protocol.Action
}

var shapes = []shape{
	{topic: "event", action: "emit", name: keyEventName, optional: keyData, becomes: protocol.TopicEvent, as: protocol.EventEmit},
	{topic: "rpc", action: "make", name: keyRPCName, optional: keyData, becomes: protocol.TopicRPC, as: protocol.RPCRequest},
	{topic: "record", action: "read", name: keyRecordName, becomes: protocol.TopicRecord, as: protocol.RecordRead},
	{topic: "record", action: "head", name: keyRecordName, becomes: protocol.TopicRecord, as: protocol.RecordHead},
	{topic: "record", action: "write", name: keyRecordName, required: keyData, optional: keyVersion | keyPath, becomes: protocol.TopicRecord, as: protocol.RecordCreateAndUpdate},
	{topic: "record", action: "delete", name: keyRecordName, becomes: protocol.TopicRecord, as: protocol.RecordDelete},
	{topic: "record", action: "notify", required: keyRecordNames, becomes: protocol.TopicRecord, as: protocol.RecordNotify},
	{topic: "list", action: "read", name: keyListName, becomes: protocol.TopicRecord, as: protocol.RecordRead},
	{topic: "list", action: "write", name: keyListName, required: keyData, optional: keyVersion, list: true, becomes: protocol.TopicRecord, as: protocol.RecordCreateAndUpdate},
	{topic: "list", action: "delete", name: keyListName, becomes: protocol.TopicRecord, as: protocol.RecordDelete},
	{topic: "presence", action: "query", optional: keyNames, becomes: protocol.TopicPresence, as: protocol.PresenceQueryAll},
}

// anyID pairs an answer with a message that has a connection of its own.
var anyID = []byte("0")

// decodeCommand reads one command, valid JSON, into the message it stands for. Of members that occur
// twice the last counts. The error says what is wrong, in the words of a client's author. m's slices are
// views of raw, as far as nothing had to be decoded.
func decodeCommand(m *protocol.Message, raw []byte, ids *ids) error {
	if raw[0] != '{' {
		return fmt.Errorf("a command must be an object")
	}
	var c fields
	c.read(raw)
	s, err := c.shape()
	if err != nil {
		return err
	}
	if err := c.check(s); err != nil {
		return err
	}
	*m = protocol.Message{Topic: s.becomes, Action: s.as}
	if s.name != 0 {
		m.Name = text(c.value(s.name))
	}
	m.Data = c.value(keyData)
	switch s.as {
	case protocol.RPCRequest:
		if s.becomes == protocol.TopicRPC {
			m.CorrelationID = ids.next()
		}
	case protocol.RecordCreateAndUpdate:
		c.write(m)
	}
	if list := c.value(keyRecordNames | keyNames); list != nil {
		m.Names, m.CorrelationID = nameList(list), anyID
		if s.becomes == protocol.TopicPresence {
			m.Action = protocol.PresenceQuery
		}
	}
	return nil
}

// fields are the members of a command as they came.
type fields struct {
	values  [keys][]byte // nil: absent
	given   key
	unknown []byte // the first that no command has
	strange bool   // there is one
}

func (c *fields) read(raw []byte) {
	members(raw, func(name, value []byte) {
		i, ok := keyByName[string(name)]
		switch {
		case ok:
			c.values[i] = value
			c.given |= 1 << i
		case !c.strange:
			c.unknown, c.strange = name, true
		}
	})
}

// value returns the first of the members in set that is there, or nil.
func (c *fields) value(set key) []byte {
	for i := range c.values {
		if set&(1<<i) != 0 && c.values[i] != nil {
			return c.values[i]
		}
	}
	return nil
}

// shape returns what the command claims to be.
func (c *fields) shape() (*shape, error) {
	topic, action := c.value(keyTopic), c.value(keyAction)
	switch {
	case topic == nil:
		return nil, fmt.Errorf("property 'topic' is required")
	case !isText(topic):
		return nil, fmt.Errorf("property 'topic' must be a string")
	}
	known := false
	for i := range shapes {
		if s := &shapes[i]; string(text(topic)) == s.topic {
			known = true
			if action != nil && isText(action) && string(text(action)) == s.action {
				return s, nil
			}
		}
	}
	switch {
	case !known:
		return nil, fmt.Errorf("unknown topic '%s'", shortened(text(topic)))
	case action == nil:
		return nil, fmt.Errorf("property 'action' is required for topic '%s'", text(topic))
	case !isText(action):
		return nil, fmt.Errorf("property 'action' must be a string")
	}
	return nil, fmt.Errorf("unknown action '%s' for topic '%s'", shortened(text(action)), text(topic))
}

// shortened keeps an answer from repeating much of a request.
func shortened(b []byte) string { return printable(string(b[:min(len(b), 64)])) }

// check finds out what is wrong with the members of a command of shape s.
func (c *fields) check(s *shape) error {
	required := s.name | s.required
	allowed := required | s.optional | keyTopic | keyAction
	for i, name := range keyTexts {
		if k := key(1) << i; required&k != 0 && c.given&k == 0 {
			return fmt.Errorf("property '%s' is required for topic '%s' and action '%s'", name, s.topic, s.action)
		}
	}
	for i, name := range keyTexts {
		switch k := key(1) << i; {
		case c.given&^allowed&k != 0:
			return fmt.Errorf("property '%s' is not allowed for topic '%s' and action '%s'", name, s.topic, s.action)
		case c.given&k != 0:
			if problem := c.problem(s, k); problem != "" {
				return fmt.Errorf("property '%s' must be %s", name, problem)
			}
		}
	}
	if c.strange {
		return fmt.Errorf("property '%s' is not allowed for topic '%s' and action '%s'", shortened(c.unknown), s.topic, s.action)
	}
	return nil
}

// problem returns what the value of a member has to be and is not.
func (c *fields) problem(s *shape, k key) string {
	v := c.value(k)
	switch k {
	case keyEventName, keyRPCName, keyRecordName, keyListName:
		if !isText(v) || len(text(v)) == 0 {
			return "a non-empty string"
		}
	case keyRecordNames, keyNames:
		if !isTexts(v) {
			return "an array of strings"
		}
	case keyVersion:
		if _, ok := version(v); !ok {
			return "an integer of -1 or more"
		}
	case keyPath:
		if !isText(v) {
			return "a string"
		}
	case keyData:
		switch {
		case s.list && !isTexts(v):
			return "an array of strings"
		case s.required&keyData != 0 && !c.patches() && v[0] != '{' && v[0] != '[':
			return "an object or an array"
		}
	}
	return ""
}

// patches reports whether a write has a path. An empty one is none.
func (c *fields) patches() bool {
	path := c.value(keyPath)
	return path != nil && isText(path) && len(text(path)) > 0
}

// write completes the message of a write.
func (c *fields) write(m *protocol.Message) {
	m.Version, m.HasVersion = protocol.AnyVersion, true
	if v := c.value(keyVersion); v != nil {
		if m.Version, _ = version(v); m.Version == 0 {
			m.Version = protocol.AnyVersion
		}
	}
	if c.patches() {
		m.Action, m.Path = protocol.RecordCreateAndPatch, text(c.value(keyPath))
	}
	m.IsWriteAck, m.CorrelationID = true, anyID
}

// version reads a version, however the integer is spelled.
func version(v []byte) (int32, bool) {
	if v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f != math.Trunc(f) || f < -1 || f > math.MaxInt32 {
		return 0, false
	}
	return int32(f), true
}

// isTexts reports whether v is an array of strings.
func isTexts(v []byte) bool {
	if v[0] != '[' {
		return false
	}
	all := true
	elements(v, func(_ int, value []byte) bool {
		all = isText(value)
		return all
	})
	return all
}

// nameList returns the strings of an array as names.
func nameList(array []byte) protocol.Names {
	list := make([][]byte, 0, count(array))
	elements(array, func(_ int, value []byte) bool {
		list = append(list, text(value))
		return true
	})
	return protocol.ListNames(list)
}

// isFalse reports whether JavaScript takes v for false.
func isFalse(v []byte) bool {
	switch v[0] {
	case 'f', 'n':
		return true
	case '"':
		return len(v) == 2
	case '-', '0':
		f, err := strconv.ParseFloat(string(v), 64)
		return err == nil && f == 0
	}
	return bytes.Equal(v, []byte("0"))
}
