package codec

import "deepstream-fast/protocol"

// PrefixBytes is how much of a message IsBulk looks at.
const PrefixBytes = 16

// bulkActions has, by topic, the bit of every action that is a request about a list of names. None is
// above 63, and a shift by more, or by a negative action, leaves no bit.
var bulkActions = [...]uint64{
	protocol.TopicEvent: 1<<protocol.EventSubscribe | 1<<protocol.EventUnsubscribe,
	protocol.TopicRecord: 1<<protocol.RecordNotify | 1<<protocol.RecordHeadBulk | 1<<protocol.RecordDeleteBulk |
		1<<protocol.RecordSubscribeAndHead | 1<<protocol.RecordSubscribeAndRead |
		1<<protocol.RecordSubscribeCreateAndRead | 1<<protocol.RecordSubscribeCreateAndUpdate |
		1<<protocol.RecordSubscribe | 1<<protocol.RecordUnsubscribe,
	protocol.TopicRPC: 1<<protocol.RPCProvide | 1<<protocol.RPCUnprovide,
	protocol.TopicPresence: 1<<protocol.PresenceQuery | 1<<protocol.PresenceSubscribe |
		1<<protocol.PresenceUnsubscribe,
}

// Bulk reports whether action a of topic t is a request about Message.Names. For every other request
// names mean nothing and must not be looked at: the official server judges any message that has some
// by them alone, which lets a client past the rules of the name it really writes to. Answers are not
// requests: Bulk(TopicPresence, PresenceQueryAllResponse) is false.
//
// Source: spec/wire.md §9, quirk Q3.
func Bulk(t protocol.Topic, a protocol.Action) bool {
	return uint32(t) < uint32(len(bulkActions)) && bulkActions[t]>>uint32(a)&1 != 0
}

// IsBulk tells from the first bytes of a delimited message whether its action is Bulk, so that its
// size can be judged before all of it is there. PrefixBytes bytes are enough, and no more are read.
// Only the order of fields the official clients use is understood: topic, message, action first.
// Anything else is not bulk, which costs its sender the larger limit and nothing more.
func IsBulk(prefix []byte) bool {
	b := prefix[:min(len(prefix), PrefixBytes)]
	_, i := uvarint(b, 0)
	if i == 0 || len(b)-i < 3 || b[i] != tagTopic || b[i+2] != tagMessage {
		return false
	}
	topic := protocol.Topic(b[i+1])
	_, i = uvarint(b, i+3)
	if i == 0 || len(b)-i < 2 || b[i] != 1<<3|wireVarint {
		return false
	}
	return Bulk(topic, protocol.Action(b[i+1]))
}
