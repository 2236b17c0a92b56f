// grouplog_pack_offer gives every connection that is opened from now on the aggregate
// function grouplog_pack, until it is withdrawn. It returns 0 where it cannot.
int grouplog_pack_offer(void);
void grouplog_pack_withdraw(void);
