package codec

import "deepstream-fast/protocol"

// field names a place in protocol.Message. The order of the constants is the order in which the
// encoder writes; it ascends in every schema. Two schemas number some fields against the order of
// the others, so these fields have two places, of which a schema uses one.
type field uint8

const (
	fUnknown field = iota // of the schema, but not of Message; or of neither
	fAction
	fLeadTopic // PRESENCE writes the originals first
	fLeadAction
	fData
	fCorrelationID
	fIsError
	fIsAck
	fLeadNames // RPC writes names before name
	fName
	fNames
	fSubscription
	fOriginalTopic
	fOriginalAction
	fIsWriteAck
	fPath
	fVersion
	fVersions
	fRequestorName
	fRequestorData
	fURL
	fProtocolVersion
	fSDKVersion
	fSDKType
	fieldCount
)

// Wire types, the low three bits of a tag.
const (
	wireVarint = 0
	wireBytes  = 2
)

// Tags of the envelope.
const (
	tagTopic   = 2<<3 | wireVarint
	tagMessage = 3<<3 | wireBytes
)

// Tags of an entry of the versions map.
const (
	tagKey   = 1<<3 | wireBytes
	tagValue = 2<<3 | wireVarint
)

// wireType returns how the value of f is written.
func (f field) wireType() byte {
	switch f {
	case fAction, fLeadTopic, fLeadAction, fIsError, fIsAck, fOriginalTopic, fOriginalAction, fIsWriteAck, fVersion:
		return wireVarint
	default:
		return wireBytes
	}
}

// numbers are the field numbers of one inner message, 1 to 15 so that each tag is one byte; 0 is a
// field the message does not have.
type numbers [fieldCount]byte

// schema is numbers as the decoder and the encoder want them.
type schema struct {
	known bool
	tags  [fieldCount]byte // 0: not in this schema
	// fields is the inverse. A tag of the wrong wire type is in no schema, hence skipped.
	fields [0x80]field
}

func newSchema(n numbers) schema {
	s := schema{known: true}
	for f, number := range n {
		if number == 0 {
			continue
		}
		tag := number<<3 | field(f).wireType()
		s.tags[f] = tag
		s.fields[tag] = field(f)
	}
	return s
}

// schemaOf returns the schema of topic t, or nil if t has none. STATE_REGISTRY is without one as in
// the official parser, which takes it for an unknown topic.
func schemaOf(t protocol.Topic) *schema {
	if uint32(t) >= uint32(len(schemas)) || !schemas[t].known {
		return nil
	}
	return &schemas[t]
}

// schemas are the inner messages by topic. Left out: RECORD pattern (8), which nobody ever sent,
// and what only CLUSTER and LOCK have. Source: spec/wire.md §5.
var schemas = [...]schema{
	protocol.TopicParser: newSchema(numbers{
		fAction: 1, fData: 2, fOriginalTopic: 8, fOriginalAction: 9,
	}),
	protocol.TopicConnection: newSchema(numbers{
		fAction: 1, fData: 2, fIsError: 3, fIsAck: 4,
		fURL: 5, fProtocolVersion: 6, fSDKVersion: 7, fSDKType: 8,
	}),
	protocol.TopicAuth: newSchema(numbers{
		fAction: 1, fData: 2, fIsError: 3, fIsAck: 4,
	}),
	protocol.TopicEvent: newSchema(numbers{
		fAction: 1, fData: 2, fCorrelationID: 3, fIsError: 4, fIsAck: 5, fName: 6, fNames: 7,
		fSubscription: 8, fOriginalTopic: 10, fOriginalAction: 11,
	}),
	protocol.TopicRecord: newSchema(numbers{
		fAction: 1, fData: 2, fCorrelationID: 3, fIsError: 4, fIsAck: 5, fName: 6, fNames: 7,
		fSubscription: 9, fOriginalAction: 10, fIsWriteAck: 11, fPath: 12, fVersion: 13, fVersions: 14,
	}),
	protocol.TopicRPC: newSchema(numbers{
		fAction: 1, fData: 2, fCorrelationID: 3, fIsError: 4, fIsAck: 5, fLeadNames: 6, fName: 7,
		fOriginalAction: 9, fRequestorName: 10, fRequestorData: 11,
	}),
	protocol.TopicPresence: newSchema(numbers{
		fAction: 1, fLeadTopic: 2, fLeadAction: 3, fData: 4, fCorrelationID: 5, fIsError: 6, fIsAck: 7,
		fName: 8, fNames: 9,
	}),
	protocol.TopicMonitoring: newSchema(numbers{
		fAction: 1, fData: 2, fCorrelationID: 3, fIsError: 4, fIsAck: 5,
	}),
	protocol.TopicCluster: newSchema(numbers{
		fAction: 1, fData: 2, fIsError: 3, fIsAck: 4,
	}),
	protocol.TopicLock: newSchema(numbers{
		fAction: 1,
	}),
}
