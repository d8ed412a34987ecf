import java.io.DataOutputStream;
import java.net.Socket;

/** A beginner's client in Java, which writes strings with their length before them: WriteUtf HOST PORT. */
class WriteUtf {
    public static void main(String[] arguments) throws Exception {
        try (Socket socket = new Socket(arguments[0], Integer.parseInt(arguments[1]))) {
            new DataOutputStream(socket.getOutputStream()).writeUTF("alice");
            System.out.write(socket.getInputStream().readAllBytes());
            System.out.flush();
        }
    }
}
