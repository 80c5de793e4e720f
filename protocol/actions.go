package protocol

// Topic selects the family of a message and the schema of its inner message.
type Topic int32

// The topics. Those from TopicCluster on travel between nodes only.
const (
	TopicUnknown       Topic = 0
	TopicParser        Topic = 1
	TopicConnection    Topic = 2
	TopicAuth          Topic = 3
	TopicEvent         Topic = 4
	TopicRecord        Topic = 5
	TopicRPC           Topic = 6
	TopicPresence      Topic = 7
	TopicMonitoring    Topic = 8
	TopicCluster       Topic = 9
	TopicLock          Topic = 10
	TopicStateRegistry Topic = 11
	TopicError         Topic = 100
)

// Action is the verb of a message within its topic; the same number means another thing in another
// topic. It is an int32 as on the wire, so that an unknown action can be named in the answer.
type Action int32

// Actions of the PARSER topic.
const (
	ParserUnknown                    Action = 0
	ParserUnknownTopic               Action = 1
	ParserUnknownAction              Action = 2
	ParserInvalidMessage             Action = 3
	ParserMessageParseError          Action = 4
	ParserMaximumMessageSizeExceeded Action = 5
	ParserError                      Action = 6
	ParserInvalidMetaParams          Action = 7
)

// Actions of the CONNECTION topic.
const (
	ConnectionUnknown               Action = 0
	ConnectionError                 Action = 1
	ConnectionPing                  Action = 2
	ConnectionPong                  Action = 3
	ConnectionAccept                Action = 4
	ConnectionChallenge             Action = 5
	ConnectionReject                Action = 6
	ConnectionRedirect              Action = 7
	ConnectionClosing               Action = 8
	ConnectionClosed                Action = 9
	ConnectionAuthenticationTimeout Action = 100
	ConnectionInvalidMessage        Action = 101
)

// Actions of the AUTH topic.
const (
	AuthUnknown             Action = 0
	AuthError               Action = 1
	AuthRequest             Action = 2
	AuthSuccessful          Action = 3
	AuthUnsuccessful        Action = 4
	AuthTooManyAuthAttempts Action = 100
	AuthInvalidMessage      Action = 101
	AuthInvalidMessageData  Action = 102
)

// Actions of the EVENT topic.
const (
	EventUnknown                       Action = 0
	EventError                         Action = 1
	EventEmit                          Action = 2
	EventSubscribe                     Action = 3
	EventUnsubscribe                   Action = 4
	EventListen                        Action = 5
	EventUnlisten                      Action = 6
	EventListenAccept                  Action = 7
	EventListenReject                  Action = 8
	EventSubscriptionHasProvider       Action = 9
	EventSubscriptionHasNoProvider     Action = 10
	EventSubscriptionForPatternFound   Action = 11
	EventSubscriptionForPatternRemoved Action = 12
	EventInvalidListenRegex            Action = 100
	EventListenResponseTimeout         Action = 101
	EventListenUnsuccessful            Action = 102
	EventMessagePermissionError        Action = 103
	EventMessageDenied                 Action = 104
	EventInvalidMessageData            Action = 105
	EventMultipleSubscriptions         Action = 106
	EventNotSubscribed                 Action = 107
)

// Actions of the RECORD topic.
const (
	RecordUnknown                       Action = 0
	RecordError                         Action = 1
	RecordNotify                        Action = 2
	RecordRead                          Action = 3
	RecordReadResponse                  Action = 4
	RecordHead                          Action = 5
	RecordHeadResponse                  Action = 6
	RecordHeadBulk                      Action = 7
	RecordHeadResponseBulk              Action = 8
	RecordDelete                        Action = 9
	RecordDeleteSuccess                 Action = 10
	RecordDeleteBulk                    Action = 11
	RecordDeleteBulkSuccess             Action = 12
	RecordDeleted                       Action = 13
	RecordWriteAcknowledgement          Action = 14
	RecordCreate                        Action = 15
	RecordCreateAndUpdate               Action = 16
	RecordCreateAndPatch                Action = 17
	RecordUpdate                        Action = 18
	RecordPatch                         Action = 19
	RecordErase                         Action = 20
	RecordSubscribeAndHead              Action = 21
	RecordSubscribeAndRead              Action = 22
	RecordSubscribeCreateAndRead        Action = 23
	RecordSubscribeCreateAndUpdate      Action = 24
	RecordSubscribe                     Action = 25
	RecordUnsubscribe                   Action = 26
	RecordListen                        Action = 27
	RecordUnlisten                      Action = 28
	RecordListenAccept                  Action = 29
	RecordListenReject                  Action = 30
	RecordSubscriptionHasProvider       Action = 31
	RecordSubscriptionHasNoProvider     Action = 32
	RecordSubscriptionForPatternFound   Action = 33
	RecordSubscriptionForPatternRemoved Action = 34
	RecordPatchMulti                    Action = 35
	RecordCacheRetrievalTimeout         Action = 100
	RecordStorageRetrievalTimeout       Action = 101
	RecordVersionExists                 Action = 102
	RecordLoadError                     Action = 103
	RecordCreateError                   Action = 104
	RecordUpdateError                   Action = 105
	RecordDeleteError                   Action = 106
	RecordNotFound                      Action = 107
	RecordInvalidVersion                Action = 108
	RecordInvalidPatchOnHotpath         Action = 109
	RecordInvalidListenRegex            Action = 110
	RecordListenResponseTimeout         Action = 111
	RecordListenUnsuccessful            Action = 112
	RecordNotifyError                   Action = 113
	RecordMessagePermissionError        Action = 114
	RecordMessageDenied                 Action = 115
	RecordInvalidMessageData            Action = 116
	RecordMultipleSubscriptions         Action = 117
	RecordNotSubscribed                 Action = 118
)

// Actions of the RPC topic.
const (
	RPCUnknown                 Action = 0
	RPCError                   Action = 1
	RPCRequest                 Action = 2
	RPCAccept                  Action = 4
	RPCResponse                Action = 5
	RPCReject                  Action = 6
	RPCRequestError            Action = 7
	RPCProvide                 Action = 8
	RPCUnprovide               Action = 9
	RPCNoRPCProvider           Action = 100
	RPCAcceptTimeout           Action = 101
	RPCMultipleAccept          Action = 102
	RPCInvalidRPCCorrelationID Action = 103
	RPCResponseTimeout         Action = 104
	RPCMultipleResponse        Action = 105
	RPCMessagePermissionError  Action = 106
	RPCMessageDenied           Action = 107
	RPCInvalidMessageData      Action = 108
	RPCMultipleProviders       Action = 109
	RPCNotProvided             Action = 110
)

// Actions of the PRESENCE topic.
const (
	PresenceUnknown                Action = 0
	PresenceError                  Action = 1
	PresenceQueryAll               Action = 2
	PresenceQueryAllResponse       Action = 3
	PresenceQuery                  Action = 4
	PresenceQueryResponse          Action = 5
	PresenceJoin                   Action = 6
	PresenceJoinAll                Action = 7
	PresenceLeave                  Action = 8
	PresenceLeaveAll               Action = 9
	PresenceSubscribe              Action = 10
	PresenceUnsubscribe            Action = 11
	PresenceSubscribeAll           Action = 12
	PresenceUnsubscribeAll         Action = 13
	PresenceInvalidPresenceUsers   Action = 100
	PresenceMessagePermissionError Action = 101
	PresenceMessageDenied          Action = 102
	PresenceMultipleSubscriptions  Action = 103
	PresenceNotSubscribed          Action = 104
)

// Actions of the MONITORING topic.
const (
	MonitoringUnknown Action = 0
)

// Actions of the CLUSTER topic.
const (
	ClusterUnknown Action = 0
	ClusterRemove  Action = 1
	ClusterStatus  Action = 2
)

// Actions of the LOCK topic.
const (
	LockUnknown  Action = 0
	LockError    Action = 1
	LockRequest  Action = 2
	LockResponse Action = 3
	LockRelease  Action = 4
)

// Actions of STATE_REGISTRY messages, between nodes.
const (
	StateUnknown          Action = 0
	StateError            Action = 1
	StateAdd              Action = 2
	StateRemove           Action = 3
	StateRequestFullState Action = 4
	StateFullState        Action = 5
	StateChecksum         Action = 6
)
