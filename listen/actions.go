package listen

import "deepstream-fast/protocol"

// Actions are the numbers one topic gives to the verbs of listening.
type Actions struct {
	Topic protocol.Topic

	// From listeners.
	Listen, Unlisten, Accept, Reject protocol.Action

	// To listeners. Home sends the first three; the last is the answer to a pattern Compile refuses.
	Found, Removed, ResponseTimeout, InvalidRegex protocol.Action

	// To subscribers, by whoever implements Out.ProviderChanged. Zero: they are not told.
	HasProvider, HasNoProvider protocol.Action
}

// Event is the table of the EVENT topic, whose subscribers never learn about providers.
var Event = Actions{
	Topic:           protocol.TopicEvent,
	Listen:          protocol.EventListen,
	Unlisten:        protocol.EventUnlisten,
	Accept:          protocol.EventListenAccept,
	Reject:          protocol.EventListenReject,
	Found:           protocol.EventSubscriptionForPatternFound,
	Removed:         protocol.EventSubscriptionForPatternRemoved,
	ResponseTimeout: protocol.EventListenResponseTimeout,
	InvalidRegex:    protocol.EventInvalidListenRegex,
}

// Record is the table of the RECORD topic.
var Record = Actions{
	Topic:           protocol.TopicRecord,
	Listen:          protocol.RecordListen,
	Unlisten:        protocol.RecordUnlisten,
	Accept:          protocol.RecordListenAccept,
	Reject:          protocol.RecordListenReject,
	Found:           protocol.RecordSubscriptionForPatternFound,
	Removed:         protocol.RecordSubscriptionForPatternRemoved,
	ResponseTimeout: protocol.RecordListenResponseTimeout,
	InvalidRegex:    protocol.RecordInvalidListenRegex,
	HasProvider:     protocol.RecordSubscriptionHasProvider,
	HasNoProvider:   protocol.RecordSubscriptionHasNoProvider,
}
