package commands

// In tests, read models are used for groups of any size, and no group is read whole
// because many of its users have been looked up.
func init() { smallGroup, lookupsPerRead = 0, 0 }
