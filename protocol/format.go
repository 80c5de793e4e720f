package protocol

import (
	"fmt"
	"strings"
)

// String formats m for logs of single messages, scenario files and test failures: topic, action,
// then every field that is present, in the order of the struct. Not for hot paths.
//
//	EVENT SUBSCRIBE correlationId="0" names=["a" "bc"]
//	RECORD HEAD_RESPONSE name="x" version=-1
func (m *Message) String() string {
	var b strings.Builder
	b.WriteString(m.Topic.String() + " " + m.Action.Name(m.Topic))
	field := func(key string, v []byte) {
		if v != nil {
			fmt.Fprintf(&b, " %s=%q", key, v)
		}
	}
	flag := func(key string, on bool) {
		if on {
			b.WriteString(" " + key)
		}
	}
	flag("isAck", m.IsAck)
	flag("isError", m.IsError)
	flag("isWriteAck", m.IsWriteAck)
	field("name", m.Name)
	field("correlationId", m.CorrelationID)
	field("subscription", m.Subscription)
	field("path", m.Path)
	if m.HasVersion {
		fmt.Fprintf(&b, " version=%d", m.Version)
	}
	if m.OriginalTopic != 0 {
		b.WriteString(" originalTopic=" + m.OriginalTopic.String())
	}
	if m.OriginalAction != 0 {
		t := m.Topic
		if t == TopicParser {
			t = m.OriginalTopic
		}
		b.WriteString(" originalAction=" + m.OriginalAction.Name(t))
	}
	field("data", m.Data)
	if m.Names.Len() > 0 {
		b.WriteString(" names=[")
		sep := ""
		for it := m.Names.Iter(); it.Next(); sep = " " {
			fmt.Fprintf(&b, "%s%q", sep, it.Name())
		}
		b.WriteString("]")
	}
	for i, v := range m.Versions {
		if i == 0 {
			b.WriteString(" versions:")
		}
		fmt.Fprintf(&b, " %q@%d", v.Name, v.Version)
	}
	field("requestorName", m.RequestorName)
	field("requestorData", m.RequestorData)
	field("url", m.URL)
	field("protocolVersion", m.ProtocolVersion)
	field("sdkVersion", m.SDKVersion)
	field("sdkType", m.SDKType)
	return b.String()
}
