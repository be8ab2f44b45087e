# Says which device it uses, and waits to be ended. Ends with status 1 when it was given none.
set -eu
: "${DEBUG_ECHO_DESCRIPTION:?The broker needs a device: no DEBUG_ECHO_DESCRIPTION in its environment}"
trap 'exit 0' TERM INT
echo "Pod is running and using debugEcho device named: $DEBUG_ECHO_DESCRIPTION"
while true; do
  sleep 3600 &
  wait $!
done
