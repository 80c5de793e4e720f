package peer

import (
	"fmt"
	"strconv"
	"strings"

	"deepstream-fast/protocol"
)

// Parse reads a message in the text form of protocol.Message.String. A value may also be a bare word
// or in back quotes, and a topic or action its number; versions can't be given.
func Parse(text string) (protocol.Message, error) {
	var m protocol.Message
	topic, rest := word(text)
	action, rest := word(rest)
	var ok bool
	if m.Topic, ok = protocol.TopicByName(topic); !ok {
		n, err := strconv.Atoi(topic)
		if err != nil {
			return m, fmt.Errorf("peer: unknown topic in %q", text)
		}
		m.Topic = protocol.Topic(n)
	}
	if m.Action, ok = actionOf(m.Topic, action); !ok {
		return m, fmt.Errorf("peer: unknown action in %q", text)
	}
	for rest != "" {
		var err error
		if rest, err = field(&m, rest); err != nil {
			return m, fmt.Errorf("%w in %q", err, text)
		}
	}
	return m, nil
}

func actionOf(t protocol.Topic, name string) (protocol.Action, bool) {
	if a, ok := protocol.ActionByName(t, name); ok {
		return a, true
	}
	n, err := strconv.Atoi(name)
	return protocol.Action(n), err == nil
}

// field reads the first field of text into m and returns the rest.
func field(m *protocol.Message, text string) (rest string, err error) {
	end := strings.IndexAny(text, "= ")
	if end < 0 || text[end] == ' ' {
		flag, rest := word(text)
		return rest, setFlag(m, flag)
	}
	key := text[:end]
	if key == "names" {
		list, rest, err := nameList(text[end+1:])
		m.Names = protocol.ListNames(list)
		return rest, err
	}
	value, rest, err := value(text[end+1:])
	if err != nil {
		return "", err
	}
	return strings.TrimLeft(rest, " "), setField(m, key, value)
}

func setFlag(m *protocol.Message, flag string) error {
	switch flag {
	case "isAck":
		m.IsAck = true
	case "isError":
		m.IsError = true
	case "isWriteAck":
		m.IsWriteAck = true
	default:
		return fmt.Errorf("peer: unknown flag %q", flag)
	}
	return nil
}

func setField(m *protocol.Message, key string, value []byte) error {
	switch key {
	case "name":
		m.Name = value
	case "correlationId":
		m.CorrelationID = value
	case "subscription":
		m.Subscription = value
	case "path":
		m.Path = value
	case "data":
		m.Data = value
	case "requestorName":
		m.RequestorName = value
	case "requestorData":
		m.RequestorData = value
	case "url":
		m.URL = value
	case "protocolVersion":
		m.ProtocolVersion = value
	case "sdkVersion":
		m.SDKVersion = value
	case "sdkType":
		m.SDKType = value
	case "originalTopic":
		t, ok := protocol.TopicByName(string(value))
		if !ok {
			return fmt.Errorf("peer: unknown originalTopic %q", value)
		}
		m.OriginalTopic = t
	case "originalAction":
		t := m.Topic
		if t == protocol.TopicParser {
			t = m.OriginalTopic
		}
		a, ok := actionOf(t, string(value))
		if !ok {
			return fmt.Errorf("peer: unknown originalAction %q", value)
		}
		m.OriginalAction = a
	case "version":
		n, err := strconv.ParseInt(string(value), 10, 32)
		if err != nil {
			return fmt.Errorf("peer: version %q", value)
		}
		m.HasVersion, m.Version = true, int32(n)
	default:
		return fmt.Errorf("peer: unknown field %q", key)
	}
	return nil
}

// nameList reads "[a b]" from the front of text.
func nameList(text string) (list [][]byte, rest string, err error) {
	rest, ok := strings.CutPrefix(text, "[")
	if !ok {
		return nil, "", fmt.Errorf("peer: names without [ at %q", text)
	}
	for {
		rest = strings.TrimLeft(rest, " ")
		if after, done := strings.CutPrefix(rest, "]"); done {
			return list, strings.TrimLeft(after, " "), nil
		}
		var name []byte
		if name, rest, err = value(rest); err != nil {
			return nil, "", err
		}
		if name == nil {
			return nil, "", fmt.Errorf("peer: names without ] at %q", text)
		}
		list = append(list, name)
	}
}

// value reads a quoted string or a bare word from the front of text. A bare word ends at a space or
// at ], an empty one is nil.
func value(text string) (v []byte, rest string, err error) {
	if text != "" && (text[0] == '"' || text[0] == '`') {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, "", fmt.Errorf("peer: unfinished string at %q", text)
		}
		s, err := strconv.Unquote(quoted)
		return []byte(s), text[len(quoted):], err
	}
	end := strings.IndexAny(text, " ]")
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return nil, text, nil
	}
	return []byte(text[:end]), text[end:], nil
}

func word(text string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimLeft(text, " "), " ")
	return first, strings.TrimLeft(rest, " ")
}
