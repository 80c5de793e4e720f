package codec

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"deepstream-fast/codec/internal/pbtest"
	"deepstream-fast/protocol"
)

// oracleDecode decodes the first delimited message of b by google.golang.org/protobuf. It reports
// false where Decode has to fail.
func oracleDecode(b []byte) (*protocol.Message, bool) {
	body, n := protowire.ConsumeBytes(b)
	var envelope pbtest.Envelope
	if n < 0 || hasGroup(body) || proto.Unmarshal(body, &envelope) != nil {
		return nil, false
	}
	inner := envelope.GetMessage()
	if hasGroup(inner) {
		return nil, false
	}
	m := &protocol.Message{Topic: protocol.Topic(envelope.GetTopic())}
	return m, oracleInner(m, inner) && len(m.Versions) <= VersionsMax
}

// hasGroup reports whether b has a group among its fields. What follows a malformed field does not
// matter: the oracle refuses it.
func hasGroup(b []byte) bool {
	for len(b) > 0 {
		_, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		if wire == protowire.StartGroupType {
			return true
		}
		size := protowire.ConsumeFieldValue(1, wire, b[n:])
		if size < 0 {
			return false
		}
		b = b[n+size:]
	}
	return false
}

// common are the accessors all generated inner messages have.
type common interface {
	proto.Message
	GetAction() int32
}

func oracleInner(m *protocol.Message, inner []byte) bool {
	parse := func(x common) bool {
		if proto.Unmarshal(inner, x) != nil {
			return false
		}
		m.Action = protocol.Action(x.GetAction())
		return true
	}
	switch m.Topic {
	case protocol.TopicParser:
		var x pbtest.Parser
		ok := parse(&x)
		m.Data = x.Data
		m.OriginalTopic, m.OriginalAction = protocol.Topic(x.GetOriginalTopic()), protocol.Action(x.GetOriginalAction())
		return ok
	case protocol.TopicConnection:
		var x pbtest.Connection
		ok := parse(&x)
		m.Data, m.IsError, m.IsAck = x.Data, x.GetIsError(), x.GetIsAck()
		m.URL, m.ProtocolVersion, m.SDKVersion, m.SDKType = x.Url, x.ProtocolVersion, x.SdkVersion, x.SdkType
		return ok
	case protocol.TopicAuth:
		var x pbtest.Auth
		ok := parse(&x)
		m.Data, m.IsError, m.IsAck = x.Data, x.GetIsError(), x.GetIsAck()
		return ok
	case protocol.TopicEvent:
		var x pbtest.Event
		ok := parse(&x)
		m.Data, m.CorrelationID, m.IsError, m.IsAck = x.Data, x.CorrelationId, x.GetIsError(), x.GetIsAck()
		m.Name, m.Names, m.Subscription = x.Name, protocol.ListNames(x.Names), x.Subscription
		m.OriginalTopic, m.OriginalAction = protocol.Topic(x.GetOriginalTopic()), protocol.Action(x.GetOriginalAction())
		return ok
	case protocol.TopicRecord:
		var x pbtest.Record
		ok := parse(&x)
		oracleRecord(m, &x)
		for _, v := range x.Versions {
			m.Versions = append(m.Versions, protocol.NameVersion{Name: v.Key, Version: v.GetValue()})
		}
		return ok && !versionsHaveGroup(inner)
	case protocol.TopicRPC:
		var x pbtest.Rpc
		ok := parse(&x)
		m.Data, m.CorrelationID, m.IsError, m.IsAck = x.Data, x.CorrelationId, x.GetIsError(), x.GetIsAck()
		m.Name, m.Names, m.OriginalAction = x.Name, protocol.ListNames(x.Names), protocol.Action(x.GetOriginalAction())
		m.RequestorName, m.RequestorData = x.RequestorName, x.RequestorData
		return ok
	case protocol.TopicPresence:
		var x pbtest.Presence
		ok := parse(&x)
		m.Data, m.CorrelationID, m.IsError, m.IsAck = x.Data, x.CorrelationId, x.GetIsError(), x.GetIsAck()
		m.Name, m.Names = x.Name, protocol.ListNames(x.Names)
		m.OriginalTopic, m.OriginalAction = protocol.Topic(x.GetOriginalTopic()), protocol.Action(x.GetOriginalAction())
		return ok
	case protocol.TopicMonitoring:
		var x pbtest.Monitoring
		ok := parse(&x)
		m.Data, m.CorrelationID, m.IsError, m.IsAck = x.Data, x.CorrelationId, x.GetIsError(), x.GetIsAck()
		return ok
	case protocol.TopicCluster:
		var x pbtest.Cluster
		ok := parse(&x)
		m.Data, m.IsError, m.IsAck = x.Data, x.GetIsError(), x.GetIsAck()
		return ok
	case protocol.TopicLock:
		return parse(&pbtest.Lock{})
	default:
		return false
	}
}

func oracleRecord(m *protocol.Message, x *pbtest.Record) {
	m.Data, m.CorrelationID, m.IsError, m.IsAck = x.Data, x.CorrelationId, x.GetIsError(), x.GetIsAck()
	m.Name, m.Names, m.Subscription = x.Name, protocol.ListNames(x.Names), x.Subscription
	m.OriginalAction, m.IsWriteAck, m.Path = protocol.Action(x.GetOriginalAction()), x.GetIsWriteAck(), x.Path
	m.HasVersion, m.Version = x.Version != nil, x.GetVersion()
}

// versionsHaveGroup reports whether an entry of the versions in inner, which the oracle has accepted,
// has a group.
func versionsHaveGroup(inner []byte) bool {
	for len(inner) > 0 {
		number, wire, n := protowire.ConsumeTag(inner)
		size := protowire.ConsumeFieldValue(number, wire, inner[n:])
		if number == 14 && wire == protowire.BytesType {
			entry, _ := protowire.ConsumeBytes(inner[n:])
			if hasGroup(entry) {
				return true
			}
		}
		inner = inner[n+size:]
	}
	return false
}
