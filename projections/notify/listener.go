package notify

import "unsafe"

// Listener is what somebody wants to be told: functions to call, any of which may
// be nil. They are called one at a time, in the order of the log.
type Listener struct {
	OnGroupCreated              func(Notification)
	OnMemberEnter               func(Notification)
	OnMemberInvited             func(Notification)
	OnMemberLeave               func(Notification)
	OnQuitFromGroup             func(Notification)
	OnMemberKicked              func(Notification)
	OnMemberInfoChanged         func(Notification)
	OnAllMembersMuted           func(Notification)
	OnGrantAdministrator        func(Notification)
	OnRevokeAdministrator       func(Notification)
	OnGroupInfoChanged          func(Notification)
	OnGroupAttributeChanged     func(Notification)
	OnReceiveJoinApplication    func(Notification)
	OnApplicationProcessed      func(Notification)
	OnGroupDismissed            func(Notification)
	OnGroupRecycled             func(Notification)
	OnReceiveCustomNotification func(Notification)
	OnTopicCreated              func(Notification)
	OnTopicDeleted              func(Notification)
	OnTopicInfoChanged          func(Notification)

	// OnAny is called for every notification, before the function of its kind.
	OnAny func(Notification)
}

// callback is the listener's function for a kind; nil where it has none.
func (l *Listener) callback(kind Kind) func(Notification) {
	switch kind {
	case OnGroupCreated:
		return l.OnGroupCreated
	case OnMemberEnter:
		return l.OnMemberEnter
	case OnMemberInvited:
		return l.OnMemberInvited
	case OnMemberLeave:
		return l.OnMemberLeave
	case OnQuitFromGroup:
		return l.OnQuitFromGroup
	case OnMemberKicked:
		return l.OnMemberKicked
	case OnMemberInfoChanged:
		return l.OnMemberInfoChanged
	case OnAllMembersMuted:
		return l.OnAllMembersMuted
	case OnGrantAdministrator:
		return l.OnGrantAdministrator
	case OnRevokeAdministrator:
		return l.OnRevokeAdministrator
	case OnGroupInfoChanged:
		return l.OnGroupInfoChanged
	case OnGroupAttributeChanged:
		return l.OnGroupAttributeChanged
	case OnReceiveJoinApplication:
		return l.OnReceiveJoinApplication
	case OnApplicationProcessed:
		return l.OnApplicationProcessed
	case OnGroupDismissed:
		return l.OnGroupDismissed
	case OnGroupRecycled:
		return l.OnGroupRecycled
	case OnReceiveCustomNotification:
		return l.OnReceiveCustomNotification
	case OnTopicCreated:
		return l.OnTopicCreated
	case OnTopicDeleted:
		return l.OnTopicDeleted
	case OnTopicInfoChanged:
		return l.OnTopicInfoChanged
	default:
		return nil
	}
}

// identity tells listeners apart: two are the same where every function is the
// same function value. Go does not compare functions, but a function value is one
// pointer, and a Listener is nothing but function values.
func (l *Listener) identity() [unsafe.Sizeof(Listener{}) / unsafe.Sizeof(uintptr(0))]uintptr {
	return *(*[unsafe.Sizeof(Listener{}) / unsafe.Sizeof(uintptr(0))]uintptr)(unsafe.Pointer(l))
}
